"""One module per attribute of a copy: what is desired, how it is compared, written, and checked beforehand."""
