# Post-processing of SP-TAD on ActivityNet-1.3. The paper prints neither its suppression (this is
# AFSD's, whose protocol it follows) nor whether a classifier of whole videos takes part; here
# CUHK's does, as with all detectors with queries.
_base_ = "activitynet_queries.py"
post_processor = dict(nms=dict(sigma=0.85))
