"""Projects, datasets, images."""

from typing import Self

from fractal_common.http.pagination import Page
from fractal_common.http.timestamps import IsoTime
from fractal_common.types import (
    AbsolutePathStr,
    AttributeFilters,
    ImageAttributes,
    ImageTypes,
    NonEmptyStr,
    S3PathStr,
    SafeNonEmptyStr,
    SafeRelativePathStr,
    Scalar,
    TypeFilters,
    ZarrDirStr,
    ZarrUrlStr,
)
from pydantic import model_validator

from fractal_jobs.api.schemas.base import Lenient, Read, Strict
from fractal_jobs.domain.paths import below


class ProjectCreate(Strict):
    name: SafeNonEmptyStr
    description: NonEmptyStr | None = None


class ProjectUpdate(Strict):
    name: SafeNonEmptyStr = ""
    description: NonEmptyStr | None = None


class ProjectRead(Read):
    id: int
    name: str
    description: str | None
    is_starred: bool
    timestamp_created: IsoTime


class DatasetCreate(Strict):
    name: SafeNonEmptyStr
    project_dir: AbsolutePathStr | S3PathStr | None = None
    zarr_subfolder: SafeRelativePathStr | None = None

    @model_validator(mode="after")
    def _subfolder_needs_a_directory(self) -> Self:
        if self.zarr_subfolder is not None and self.project_dir is None:
            raise ValueError("Cannot provide `zarr_subfolder` without `project_dir`")
        return self


class DatasetUpdate(Strict):
    name: SafeNonEmptyStr = ""


class DatasetRead(Read):
    id: int
    name: str
    project_id: int
    project: ProjectRead
    timestamp_created: IsoTime
    zarr_dir: str
    is_starred: bool


class DatasetReadExpanded(DatasetRead):
    owner_email: str
    image_count: int


class SingleImage(Lenient):
    zarr_url: ZarrUrlStr
    origin: ZarrUrlStr | None = None
    attributes: ImageAttributes = {}
    types: ImageTypes = {}


class SingleImageUpdate(Lenient):
    zarr_url: ZarrUrlStr
    attributes: ImageAttributes = {}
    types: ImageTypes | None = None


class ImageFilters(Lenient):
    type_filters: TypeFilters = {}
    attribute_filters: AttributeFilters = {}


class ImageQuery(ImageFilters):
    zarr_url: str | None = None


class ImagePage(Page[SingleImage]):
    attributes: dict[str, list[Scalar]]
    types: list[str]


class DatasetExport(Lenient):
    name: str
    zarr_dir: str
    images: list[SingleImage]


class DatasetImport(Lenient):
    name: SafeNonEmptyStr
    zarr_dir: ZarrDirStr
    images: list[SingleImage] = []

    @model_validator(mode="after")
    def _images_are_below(self) -> Self:
        is_inside = below(self.zarr_dir)
        for image in self.images:
            if not is_inside(image.zarr_url):
                raise ValueError(f"{image.zarr_url=} is not relative to {self.zarr_dir=}.")
        return self
