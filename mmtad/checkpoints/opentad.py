"""Key tables of `OpenTAD <https://github.com/sming256/OpenTAD>`_."""

from .key_tables import KeyTable, register_source

# Its adapter ViT has MMAction2's names; a whole detector keeps it below `backbone.model.backbone.`.
register_source("opentad_vit", KeyTable([(r"^(module\.)?(backbone\.)?(model\.)?backbone\.", "")]))
