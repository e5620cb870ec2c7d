"""Official data sets and item images from the network: resumable, checked, polite, and never half there."""

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
