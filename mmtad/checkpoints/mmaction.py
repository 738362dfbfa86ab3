"""Key tables of `MMAction2 <https://github.com/open-mmlab/mmaction2>`_."""

from .key_tables import KeyTable, register_source

# A recognizer's checkpoint; `cls_head.*` stays and is reported as unexpected.
register_source("mmaction_recognizer", KeyTable([(r"^(module\.)?backbone\.", "")]))
