"""Near-far attention: softmax at linear cost, for any trained softmax model, with no training.

Attention over N triangles is a sum over N sources, as gravity is: what is far or small may be pooled. Blocks of 512
neighbouring queries share K keys, single triangles where it matters and clusters elsewhere, which are chosen once per
scene from its geometry:

    tree.py       a balanced binary tree over the triangles, kept as an order of them
    frontier.py   the K nodes of the tree that a block reads
    plan.py       both, once per scene; registers and emitters stay out of the tree and are keys of every block
    rope_groups.py, key_table.py   per layer and head: what a node is as a key
    common_terms.py    per layer and head: what all queries of a block share of their exponents
    blocks.py     per layer and head: every block reads its keys; gradients
    layer.py      the mechanism
"""

from rfcli.attention.nearfar.layer import NearFar

__all__ = ["NearFar"]
