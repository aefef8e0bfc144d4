"""Swap entries in the terms of two other libraries, derived from the same layouts as the codec.

`pmdswp.views.wire` needs construct, `pmdswp.views.bits` needs bitstring, and nothing else in pmdswp imports either:
``pip install pmdswp[views]`` brings both. They are many times slower than the codec. They serve to put entries
into a larger `construct` format, to look at single bits, and to check the codec: they slice the bits themselves.
"""
