"""Problem 6.1: `reference` has the data, gradients and updates that are right; each other module judges one part.

    x → z = W x + b → a = σ(z) → f = v·a + c,    J = (1/N) Σ (f − y)² + λ (Σ W² + Σ v²)

δ and s are the errors of section 11.4 of Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", here
with the factor 2/N of J in them. Tensors are float64; W is (H, D), b and v are (H,), c is (1,), X is (N, D), a and s
are (N, H), f, y and δ are (N,).
"""
