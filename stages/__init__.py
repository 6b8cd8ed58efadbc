"""The house: the verbs that dvc.yaml calls, the rooms they call, and the ground floor all stand on."""
