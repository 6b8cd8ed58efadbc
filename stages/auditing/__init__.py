"""Room of auditing: what a defence is worth against attackers who know of it, and against those who do not."""
