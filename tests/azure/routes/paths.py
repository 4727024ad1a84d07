"""Paths of the control plane."""

GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
WS = GROUP + "/providers/Microsoft.MachineLearningServices/workspaces/{workspace}"
