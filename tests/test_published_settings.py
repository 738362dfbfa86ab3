"""The settings of the configs on features are those of the public codes, read there one by one."""

from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[1] / "configs"

# Epochs in all, of warm-up, of the cosine; its floor; clip; videos a step; start of the running
# count; label smoothing; weight of the regression; candidates of the head.
TABLE = """
actionformer_i3d_2304x4_35e_thumos14                35  5 30 1e-8   1  2 100   0 1 2000
actionformer_tsp_192_15e_activitynet                15  5 10 1e-8   1 16 200 0.1 2 2000
actionformer_i3d_192_15e_activitynet                15  5 10 1e-8   1 16 200 0.1 2 2000
actionformer_slowfast_2304x16_21e_epic-verb         21  5 16 1e-8   1  2 250   0 1 5000
actionformer_slowfast_2304x16_21e_epic-noun         21  5 16 1e-8   1  2 250 0.1 1 5000
actionformer_slowfast_1024x16_15e_ego4d             15  5 10 1e-8   1  2 100   0 1 5000
actionformer_omnivore_1024x16_15e_ego4d             15  5 10 1e-8   1  2 100   0 1 5000
actionformer_egovlp_1024x16_15e_ego4d               15  5 10 1e-8   1  2 100   0 1 5000
actionformer_three-features_1024x16_15e_ego4d       15  5 10 1e-8   1  2 100   0 1 5000
actionformer-opentad_i3d_2304x4_35e_thumos14        35  5 30 1e-8   1  2 100   0 1 2000
actionformer-opentad_i3d_2304x4_45e_multithumos     45  5 60 1e-8   1  2 100   0 1 8000
actionformer-opentad_tsp_192_15e_activitynet        15  5 10 1e-8   1 16 200 0.1 2 5000
actionformer-opentad_slowfast_2304x16_20e_epic-verb 20  5 15 1e-8   1  2 250   0 1 5000
actionformer-opentad_slowfast_2304x16_20e_epic-noun 20  5 15 1e-8   1  2 250 0.1 1 5000
actionformer-opentad_slowfast_1024x16_20e_ego4d     20  5 20 1e-8   1  2 100   0 1 5000
actionformer-opentad_egovlp_1024x16_20e_ego4d       20  5 20 1e-8   1  2 100   0 1 5000
actionformer-opentad_internvideo_2048x8_20e_ego4d   20  5 20 1e-8   1  2 100   0 1 5000
tridet_i3d_2304x4_40e_thumos14                      40 20 20 1e-8   1  2 100   0 1 2000
tridet_tsp_768x16_15e_activitynet                   15 10  5 5e-5 0.4 16 400 0.1 1 2000
tridet_slowfast_2304x16_27e_epic-verb               27  5 22 5e-5   1  2 250   0 1 5000
tridet_slowfast_2304x16_19e_epic-noun               19  5 14 1e-8   1  2 250 0.1 1 5000
tridet-opentad_i3d_2304x4_40e_thumos14              40 20 20 1e-8   1  2 100   0 1 2000
tridet-opentad_tsp_768x16_15e_activitynet           15 10  5 5e-5 0.4 16 400 0.1 1 5000
tridet-opentad_slowfast_2304x16_25e_epic-verb       25  5 20 1e-8   1  2 250   0 1 2000
tridet-opentad_slowfast_2304x16_20e_epic-noun       20  5 15 1e-8   1  2 250 0.1 1 2000
"""
TRAINING = {
    line.split()[0]: [float(x) for x in line.split()[1:]] for line in TABLE.strip().splitlines()
}
# sigma, detections kept, threshold of the vote (None: per class, where neither code votes), share
# of an action that a training window must show.
SUPPRESSION = {
    ("actionformer", "thumos14"): (0.5, 200, None, 0.5),
    ("actionformer-opentad", "thumos14"): (0.5, 2000, None, 0.5),
    ("actionformer-opentad", "multithumos"): (0.5, 8000, None, 0.5),
    ("actionformer", "activitynet"): (0.75, 100, 0.9, 0.5),
    ("actionformer-opentad", "activitynet"): (0.75, 100, 0.9, 0.5),
    ("actionformer", "epic"): (0.4, 2000, None, 0.3),
    ("actionformer-opentad", "epic"): (0.4, 2000, None, 0.3),
    ("actionformer", "ego4d"): (0.9, 2000, None, 0.3),
    ("actionformer-opentad", "ego4d"): (2.0, 2000, None, 0.3),
    ("tridet", "thumos14"): (0.5, 2000, None, 0.5),
    ("tridet-opentad", "thumos14"): (0.5, 2000, None, 0.5),
    ("tridet", "activitynet"): (0.7, 200, 0.95, 0.5),
    ("tridet-opentad", "activitynet"): (0.7, 200, 0.95, 0.5),
    ("tridet", "epic"): (0.4, 2000, None, 0.3),
    ("tridet-opentad", "epic"): (0.4, 2000, None, 0.3),
}
# Epochs, step of the rate, rate, videos a step, map, sigma, smallest score, kept, vote.
MAPS = {
    "bmn_tsn_128_10e_activitynet": (10, 7, 1e-3, 16, (128, 128), 0.5, 0.01, 100, 0.95),
    "bmn_tsp_128_10e_activitynet": (10, 7, 1e-3, 16, (128, 128), 0.5, 0.01, 100, 0.95),
    "bmn_tsn_100_10e_activitynet": (10, 7, 1e-3, 16, (100, 100), 0.5, 0.01, 100, 0.95),
    "bmn_tsn_128x5_8e_thumos14": (8, 5, 1e-4, 16, (128, 64), 0.3, 1e-4, 200, 0.95),
    "bmn_i3d_128x4_8e_thumos14": (8, 5, 1e-4, 16, (128, 64), 0.3, 1e-4, 200, 0.95),
    "gtad_tsn_100_10e_activitynet": (10, 5, 4e-3, 16, (100, 100), 0.8, 0.001, 100, None),
    "gtad_tsp_100_10e_activitynet": (10, 5, 4e-3, 16, (100, 100), 0.8, 0.001, 100, None),
    "gtad_tsn_256x5_8e_thumos14": (8, 5, 1e-4, 8, (256, 64), 0.3, 1e-4, 200, 0.95),
    "gtad_i3d_256x4_8e_thumos14": (8, 5, 1e-4, 8, (256, 64), 0.3, 1e-4, 200, 0.95),
}


def read(name):
    method = name.split("_")[0].split("-")[0]
    return Config.fromfile(ROOT / method / f"{name}.py")


def test_every_config_is_here():
    files = [
        f
        for method in ("actionformer", "tridet", "bmn", "gtad")
        for f in ROOT.glob(f"{method}/*.py")
    ]
    ours = {f.stem for f in files if not f.stem.startswith(("tridet-live", "bmn-recall"))}
    assert ours == TRAINING.keys() | MAPS.keys()


@pytest.mark.parametrize("name", TRAINING)
def test_points(name):
    cfg = read(name)
    warm, cosine = cfg.param_scheduler
    head = cfg.model.head
    assert TRAINING[name] == [
        cfg.train_cfg.max_epochs,
        warm.end,
        cosine.T_max,
        cosine.eta_min,
        cfg.optim_wrapper.clip_grad.max_norm,
        cfg.train_dataloader.batch_size,
        head.get("normalizer_init", 100),
        head.get("label_smoothing", 0),
        head.get("loss_weight", 1),
        head.get("pre_nms_topk", 2000),
    ]
    assert cosine.begin == warm.end and warm.start_factor <= 1e-8 and warm.begin == 0
    assert any(
        hook.type == "TrainableEMAHook" and hook.momentum == 1e-3 for hook in cfg.custom_hooks
    )
    presets = {cfg.model[part].preset for part in ("projection", "neck", "head")}
    assert presets == {"opentad" if "-opentad" in name else "official"}
    dataset = name.split("_")[-1].split("-")[0]
    post, data = cfg.test_evaluator.post_processor, cfg.train_dataloader.dataset
    voting = post.get("voting")
    assert SUPPRESSION[name.split("_")[0], dataset] == (
        post.nms.sigma,
        post.max_per_video,
        voting.iou_threshold if voting else None,
        data.get("min_visible", 0.5),
    )
    assert post.nms.min_score == 0.001
    if dataset == "activitynet":
        official = "opentad" not in name
        scores = post.video_scores
        assert (scores.topk, scores.method) == (2, "sqrt" if official else "product")
        assert voting.get("iou_weighted", False) == (official and "actionformer" in name)


@pytest.mark.parametrize("name", MAPS)
def test_maps(name):
    cfg = read(name)
    (steps,) = cfg.param_scheduler
    post, head = cfg.test_evaluator.post_processor, cfg.model.head
    voting = post.get("voting")
    assert MAPS[name] == (
        cfg.train_cfg.max_epochs,
        *steps.milestones,
        cfg.optim_wrapper.optimizer.lr,
        cfg.train_dataloader.batch_size,
        (head.num_steps, head.num_durations),
        post.nms.sigma,
        post.nms.min_score,
        post.max_per_video,
        voting.iou_threshold if voting else None,
    )
    assert steps.gamma == 0.1 and cfg.optim_wrapper.optimizer.type == "Adam"
    assert cfg.optim_wrapper.clip_grad.max_norm == 1
    assert not any(hook.type == "TrainableEMAHook" for hook in cfg.custom_hooks)
    assert (post.video_scores.topk, post.video_scores.method) == (2, "product")
