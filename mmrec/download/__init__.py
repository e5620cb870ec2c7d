"""Downloads of official datasets and item images: resumable, checked, polite to hosts, and complete or absent."""

from mmrec.download.addresses import Addresses, load_addresses
from mmrec.download.dataset import download_dataset
from mmrec.download.images import ImageSummary, download_images
from mmrec.download.limits import ImageLimits, Limits

__all__ = [
    "Addresses",
    "ImageLimits",
    "ImageSummary",
    "Limits",
    "download_dataset",
    "download_images",
    "load_addresses",
]
