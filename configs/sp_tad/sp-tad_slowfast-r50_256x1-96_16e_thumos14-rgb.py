# Published: no number. Stages of SlowFast-R50 in the place of I3D's.
_base_ = [
    "../_base_/models/sp-tad_slowfast-r50.py",
    "../_base_/datasets/thumos14_256x1-96.py",
    "../_base_/schedules/adamw_sp-tad_16e.py",
    "../_base_/runtime_without_ema.py",
]
