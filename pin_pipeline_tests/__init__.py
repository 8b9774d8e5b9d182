"""Tests of the pipeline, against local servers."""

import gc

from pin_pipeline.local.garbage import OBJECTS_BETWEEN_COLLECTIONS

gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
