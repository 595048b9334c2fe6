"""Raw images of the demo: three real photographs from scikit-image, cut into fields of view of a small plate.

    A01  ihc.png      immunohistochemistry of colon tissue; the haematoxylin stain, which shows nuclei
    A02  cell.png     a cell under the microscope
    A03  retina.jpg   a retina; its green channel inverted, which shows vessels

Each is cropped to 512 × 512 pixels and cut into four fields of 256 × 256. What the photographs do not have is added,
as a microscope would: a second, defocused plane (Gaussian blur), and darker corners (a known illumination profile,
which a task of the workflow corrects).
"""

import csv
import sys
from pathlib import Path

import numpy as np
import skimage
import tifffile
from skimage import color, filters, io

FIELD = 256
BIT_DEPTH_MAX = 40_000
CORNER_BRIGHTNESS = 0.6
WELLS = {("A", 1): "ihc.png", ("A", 2): "cell.png", ("A", 3): "retina.jpg"}

DETAILS = """\
pixelsize = 0.65
z_spacing = 2.0
channel_names = ["signal"]
wavelengths = ["A01_C01"]
axes = ["c", "z", "y", "x"]
"""


def signal(name: str) -> np.ndarray:
    """A 512 × 512 crop as intensities between 0 and 1, what is of interest being bright."""
    picture = io.imread(Path(skimage.__file__).parent / "data" / name)
    if name == "ihc.png":
        plane = color.rgb2hed(picture)[..., 0]
    elif name == "retina.jpg":
        plane = 255.0 - picture[..., 1].astype(float)
        plane -= filters.gaussian(plane, 12)  # the retina is not evenly lit; vessels are what is left
    else:
        plane = picture.astype(float)
    top, left = ((size - 2 * FIELD) // 2 for size in plane.shape)
    plane = plane[top : top + 2 * FIELD, left : left + 2 * FIELD]
    low, high = np.percentile(plane, [0.5, 99.8])
    return np.clip((plane - low) / (high - low), 0, 1)


def illumination() -> np.ndarray:
    """1 in the middle of a field, `CORNER_BRIGHTNESS` in its corners."""
    axis = np.linspace(-1, 1, FIELD)
    distance = (axis[:, None] ** 2 + axis[None, :] ** 2) / 2
    return 1 - (1 - CORNER_BRIGHTNESS) * distance


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    profile = illumination()
    io.imsave(folder / "illumination.png", (profile * 65535).astype(np.uint16), check_contrast=False)
    (folder / "acquisition_details.toml").write_text(DETAILS)
    with (folder / "tiles.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        columns = "file_path row column fov_name start_x start_y length_x length_y length_z length_c"
        table.writerow(columns.split())
        for (row, column), name in WELLS.items():
            plane = signal(name)
            for number in range(4):
                y, x = (FIELD * (number // 2), FIELD * (number % 2))
                focus = plane[y : y + FIELD, x : x + FIELD]
                stack = np.stack([focus, filters.gaussian(focus, 4)]) * profile
                file = f"{row}{column:02d}_F{number + 1}.tif"
                tifffile.imwrite(
                    folder / file,
                    (stack * BIT_DEPTH_MAX).astype(np.uint16)[None],
                    photometric="minisblack",
                    metadata={"axes": "CZYX"},
                    ome=True,
                )
                table.writerow([file, row, column, f"FOV_{number + 1}", x, y, FIELD, FIELD, 2, 1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
