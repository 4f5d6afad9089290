"""The loop over the steps, forward and backward, compiled for the processor by Numba.

`forward.run_forward` reads a few rows of a batch from the first step to the last.
`backward.run_backward` goes back and sums the gradients. Rows are independent, so
several calls may run in parallel, one per core. Four things make it fast:

- The products and the equations use the processor's vectors (`products`, `equations`).
- The weights and the states of a few rows stay in the core's cache.
- The inputs of several steps are projected in one product. The gradients of the weights
  are summed in one product.
- Steps at which every row is masked are skipped. Any length works without compiling
  again.

Arrays hold float32 or float64. The buffers are flat. A row of a buffer has blocks, one
per gate, in the order of `equations`. A block is as wide as the state, rounded up to
whole vectors (`width`); the values beyond the `units` are 0. A dropout mask is the same
at all steps. There is none, one for all gates or one per gate.
"""
