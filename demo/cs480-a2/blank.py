# The release as it came, handed in untouched.
# base: release
# loses: q3_1-network q3_1-training q3_1-accuracy q3_2-network q3_2-accuracy q3_3-table-check
