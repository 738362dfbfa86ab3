# MultiTHUMOS on the I3D features of THUMOS14, which ActionFormer gives for all 413 videos. Classes
# are sorted, as OpenTAD's.
_base_ = "thumos14_i3d.py"
classes = """
    BaseballPitch BasketballBlock BasketballDribble BasketballDunk BasketballGuard
    BasketballPass BasketballShot Billiards BodyBend BodyContract BodyRoll BodyTurn ClapHands
    CleanAndJerk CliffDiving CloseUpTalkToCamera CricketBowling CricketShot DiscusRelease
    DiscusWindUp Diving Drop Fall FistPump FrisbeeCatch GolfSwing HammerThrow HammerThrowRelease
    HammerThrowSpin HammerThrowWindUp HighFive HighJump Hug JavelinThrow Jump LongJump NoHuman
    OneHandedCatch OneRaisedArmCelebrate PatPerson PickUp PoleVault PoleVaultPlantPole Run
    ShotPutBend Shotput Sit SoccerPenalty Squat Stand StandUp TalkToCamera TennisSwing Throw
    ThrowDiscus TwoHandedCatch TwoRaisedArmCelebrate VolleyballBlock VolleyballBump
    VolleyballServe VolleyballSet VolleyballSpiking Walk WeightliftingClean WeightliftingJerk
""".split()
ann = dict(ann_file="annotations/multithumos.json", data_root="data/multithumos", classes=classes)
train_dataloader = dict(dataset=dict(**ann, subset="training"))
val_dataloader = dict(dataset=dict(**ann, subset="testing", block_list="thumos14_213"))
test_dataloader = val_dataloader

val_evaluator = dict(tiou_thresholds=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
test_evaluator = val_evaluator
