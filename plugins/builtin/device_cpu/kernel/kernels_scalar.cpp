// The kernels over vec_scalar.h. Compiled with the flags of that instruction set, so nothing of the
// C++ library may be included here: an inline function of it would be emitted with instructions
// that other processors lack, and the linker might keep that copy for all.
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "device_cpu/kernel/kernels.h"

namespace mortise::device_cpu {
namespace {

#include "device_cpu/kernel/vec_scalar.h"

#include "device_cpu/kernel/body_math.h"
#include "device_cpu/kernel/body_product.h"
#include "device_cpu/kernel/body_rows.h"

#include "device_cpu/kernel/body_pointwise.h"
#include "device_cpu/kernel/body_softmax.h"

}  // namespace

const Kernels kScalarKernels = {
    Isa::kScalar, product,     finish,        dots,       widen,           narrow,
    add,          rms_norm,    rms_norm_grad, layer_norm, layer_norm_grad, rope,
    swiglu,       swiglu_grad, gelu,          gelu_grad,  softmax_step,    softmax_grad,
    row_dots,     logit_stats, logit_grad,    adamw,      sum_squares};

}  // namespace mortise::device_cpu
