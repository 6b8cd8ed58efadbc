"""Room of attacks: one file each, found by its name; they see a victim, never a task.

`attack(victim, inputs, goal, *, setting, **its own parameters) -> Result`, batched. Every example keeps its own state:
one that is done stops costing, the best perturbation so far is kept, and no outcome depends on the other examples, see
`stages.attacking.problem.Result`.
"""
