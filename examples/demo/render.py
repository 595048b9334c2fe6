"""What the workflow made: a picture (raw beside segmented, a row a well) and the measured numbers as JSON.

python render.py PLATE.zarr LABEL TABLE OUTPUT.png
"""

import json
import sys
from pathlib import Path

import numpy as np
from ngio import open_ome_zarr_container, open_ome_zarr_plate
from skimage import color, io, segmentation

GAP = 12


def panel(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Raw and segmented side by side: every object in a colour of its own, its outline drawn."""
    low, high = np.percentile(image, [1, 99.7])
    grey = np.clip((image - low) / max(high - low, 1), 0, 1)
    raw = color.gray2rgb(grey)
    coloured = color.label2rgb(labels, image=grey, alpha=0.45, bg_label=0)
    outlined = segmentation.mark_boundaries(coloured, labels, color=(1, 1, 1))
    return np.hstack([raw, np.ones((raw.shape[0], GAP, 3)), outlined])


def main(plate_path: str, label: str, table: str, output: str) -> None:
    plate = open_ome_zarr_plate(plate_path)
    panels, numbers = [], []
    for path in sorted(plate.images_paths()):
        container = open_ome_zarr_container(Path(plate_path) / path)
        image = np.squeeze(container.get_image().get_as_numpy())
        labels = np.squeeze(container.get_label(label).get_as_numpy())
        panels.append(panel(image, labels))
        features = container.get_table(table).dataframe
        numbers.append(
            {
                "image": path,
                "objects": len(features),
                "median area (µm²)": round(float(features["area"].median()), 1),
                "mean intensity": round(
                    float(features.filter(regex="mean_intensity|intensity_mean").mean().iloc[0]), 1
                ),
            }
        )
    gap = np.ones((GAP, panels[0].shape[1], 3))
    rows = [part for each in panels for part in (each, gap)][:-1]
    io.imsave(output, (np.vstack(rows) * 255).astype(np.uint8), check_contrast=False)
    print(json.dumps(numbers))


if __name__ == "__main__":
    main(*sys.argv[1:])
