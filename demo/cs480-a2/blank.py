# The release as it came, handed in untouched.
# base: release
# loses: q1_1-curvature q1_1-steps q1_1-iterations q1_1-why q1_2-sizes q1_2-parameters q1_2-comparison q1_2-conclusion q1_3-parameters q1_3-variance q1_3-experiment q1_3-softmax q1_3-scaling q2_1-values q2_1-why q2_2a-forward q2_2a-why q2_2b-logits q2_2c-output q2_2d-hidden q2_2e-input q2_2f-step q2_2-code q2_2-derivation q3_1-network q3_1-training q3_1-accuracy q3_2-network q3_2-accuracy q3_3-table-check q3_3-why
