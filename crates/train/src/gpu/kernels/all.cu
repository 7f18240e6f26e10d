// For compilers that read files.
#include "start.cu"
#include "rows.cu"
#include "products.cu"
#include "heads.cu"
#include "losses.cu"
#include "optimiser.cu"
