"""A run of the model as text and as JSON, under the name that users know (`pmdswp.model.show.report`)."""

from pmdswp.model.show.report import Recording, record, text

__all__ = ["Recording", "record", "text"]
