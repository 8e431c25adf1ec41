"""Near-far attention: softmax approximated at linear cost, for any trained softmax model, without training.

Attention over triangles is a sum over sources, like gravity: distant or small sources can be pooled into clusters. Each
block of 512 neighbouring queries has its own keys: K nodes of a tree over the triangles (single triangles where they
matter, clusters elsewhere), and E exact keys: all registers and emitters, very many emitters as clusters. The keys are
chosen once per scene, from its geometry.

    tree.py         a balanced binary tree over the triangles, stored as an order of them
    choose_keys.py  the K nodes of the tree that are keys of a block
    plan.py         tree and keys of a scene, made once
    key_table.py    per layer and head: mean key, variances, log weight and mean value of every node
    blocks.py       per layer and head: softmax of every block over its keys, with gradients
    layer.py        the layer

Letters in shapes and formulas, besides those of all mechanisms (README.md in the folder above):

    A   surface features of a triangle     L   keys of a block: K + E, padded to a multiple of 16
    C   columns of the key table           M   nodes of the tree
    F   frequencies of RoPE                P   slots of queries, the tree's order first; whole blocks of 512
    G   groups of channels                 T   triangles in the tree: all real ones except emitters
    K   nodes that are keys of a block     n   blocks, nodes, slots or tokens of a chunk
"""

from rfcli.attention.nearfar.layer import NearFar

__all__ = ["NearFar"]
