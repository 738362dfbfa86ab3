# G-TAD on 256 steps of THUMOS14: actions of up to 64 steps, 16 + 16 bins, 3x3 convolutions.
_base_ = "gtad.py"
model = dict(
    projection=dict(in_channels=2048),
    head=dict(
        num_steps=256,
        num_durations=64,
        extractor=dict(roi_size=16, context_size=16),
        kernel_size=3,
    ),
)
