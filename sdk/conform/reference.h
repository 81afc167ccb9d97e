// The numerical reference: every operation of draft/device_op_list.h as scalar code in double.
//
// Used by the conformance kit, by tests of device packs and of the engine, and compiled into
// device_simulated. It is written for reading, not for speed, and shares nothing with any pack.
// Types: float32 and bfloat16 as the list says; with activations in float64 every float tensor is
// float64 and nothing is rounded, so that finite differences of the reference can be taken.
#pragma once

#include <mortise/draft/device_op_list.h>

#include <string_view>

// The table over host memory: query answers NATIVE for every operation of the list. Lives as long
// as the process. [any]
extern "C" const mortise_device_ops* mortise_reference_ops();

namespace mortise::conform {

// Whether the reference has the operation for these types. [any]
bool has_reference(std::string_view op, DLDataType activation, DLDataType weight);

// Checks and runs one operation on host memory now, whatever device the views name. Throws
// sdk::Failure: INVALID_ARGUMENT naming the tensor and both shapes, or an id that is out of range;
// UNIMPLEMENTED for what has_reference denies. [parallel]
void run_reference(std::string_view op, DLDataType activation, DLDataType weight,
                   const mortise_op_call& call);

// Only the checks of counts, types and shapes: reads no element, so it may be called before queued
// work has made the inputs. Ids and bounds are checked by run_reference alone. [parallel]
void check_reference(std::string_view op, DLDataType activation, DLDataType weight,
                     const mortise_op_call& call);

}  // namespace mortise::conform
