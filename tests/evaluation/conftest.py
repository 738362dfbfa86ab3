import logging

import pytest
from mmengine.logging import MMLogger


@pytest.fixture
def log():
    """Messages that go to the current logger."""
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)
