# Self-DETR on ActivityNet-1.3, on the DAB-DETR of that data set.
_base_ = "dab-detr_activitynet.py"
model = dict(head=dict(feedback=dict(type="SelfFeedbackLoss")))
