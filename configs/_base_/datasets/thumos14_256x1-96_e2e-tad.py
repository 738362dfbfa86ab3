# THUMOS14 from raw video in the setting of E2E-TAD: 256 frames at 10 frames per second (25.6 s),
# 96 x 96, 4 frames for each of 64 steps. Training takes windows that share three quarters with the
# next one, keeps an action if at least 75 % of it lie inside and drops windows without any; testing
# takes windows that share a quarter. No window holds more than 22 actions.
#
# E2E-TAD's last window in testing reaches beyond the video and shows grey there; here it ends with
# the video.
_base_ = ["thumos14.py", "pipelines_96_e2e-tad.py"]
windows = dict(
    sampling="sliding", window_size=256, frame_stride=1, sample_fps=10, frames_per_step=4
)
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    dataset=dict(**windows, window_overlap=0.75, min_visible=0.75, pipeline=_base_.train_pipeline),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=4,
    dataset=dict(**windows, window_overlap=0.25, pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(post_processor=dict(nms=dict(sigma=0.4), max_per_video=200))
test_evaluator = val_evaluator
