"""Near-far attention: softmax approximated at linear cost, for any trained softmax model, without training.

Attention over N triangles is a sum over N sources, like gravity: distant or small sources can be pooled into clusters.
Each block of 512 neighbouring queries has K keys: single triangles where they matter, clusters elsewhere. The keys are
chosen once per scene, from its geometry:

    tree.py        a balanced binary tree over the triangles, stored as an order of them
    frontier.py    which K nodes of the tree are the keys of a block
    plan.py        both, once per scene; registers and emitters are not in the tree and are keys of every block
    key_table.py   per layer and head: mean key, variance and mean value of every node
    blocks.py      per layer and head: softmax of every block over its keys, with gradients
    layer.py       the mechanism
"""

from rfcli.attention.nearfar.layer import NearFar

__all__ = ["NearFar"]
