"""cxr: chest X-ray classifiers trained so that the same recipe gives the same bits."""

from cxr.determinism.seeding import seed_everything

__version__ = "0.1.0"

__all__ = ["__version__", "seed_everything"]
