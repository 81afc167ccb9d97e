// What every operation in engine/op is made of: views of tensors for the device, and one autograd
// node around a forward that has already run. Only node.cpp sees libtorch's autograd headers, which
// cost many seconds a file.
#pragma once

#include <ATen/core/Tensor.h>
#include <mortise/draft/device_op_list.h>

#include <functional>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "engine/op/device.h"

namespace mortise::engine {

// Gradients of the inputs from those of the outputs. grads[i] is undefined when output i was not
// used; wanted[i] says whether input i needs one; unwanted ones may be left undefined. Runs without
// recording. Captures must be detached (or inputs): an output captured as it is would never be
// freed.
using Backward = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& grads,
                                                       const std::vector<bool>& wanted)>;

// Makes `outputs` (fresh tensors) the results of one node over `inputs`, if any of those needs a
// gradient and recording is on. Called after the forward, which must have run under NoRecord.
void record(const char* name, const std::vector<at::Tensor>& inputs,
            const std::vector<at::Tensor*>& outputs, Backward backward);
// Whether record() would do anything.
bool records(std::initializer_list<at::Tensor> inputs);

// body(inputs), which runs once more in the backward pass instead of keeping what that pass needs
// (Chen et al. 2016, "Training deep nets with sublinear memory cost"). parameters: the tensors that
// body reads besides its inputs and that may train. body must compute the same bits both times from
// what it holds, give fresh tensors, and outlive nothing that it refers to.
using Body = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& inputs)>;
std::vector<at::Tensor> recomputed(const std::vector<at::Tensor>& inputs,
                                   const std::vector<at::Tensor>& parameters, Body body);

// Threads that libtorch and the composed operations use in this process; 1 or more. [init]
void set_compute_threads(int32_t count);

// While it lives nothing is recorded: the forward of a coarse operation.
class NoRecord {
 public:
  NoRecord();
  ~NoRecord();
  NoRecord(const NoRecord&) = delete;
  NoRecord& operator=(const NoRecord&) = delete;

 private:
  bool before_;
};

// Computes `name` on the device into `outputs`, which are allocated; false when the host must
// compose it. Undefined tensors are passed as absent. Inputs that are not compact are copied first.
// `activation` and `weight` choose the types of the query. Throws OpFailure.
bool run_on(Device& device, std::string_view name, const at::Tensor& activation,
            const at::Tensor& weight, std::initializer_list<at::Tensor> inputs,
            std::initializer_list<at::Tensor> outputs, std::initializer_list<double> scalars = {});

// A borrowed view: valid while `tensor` lives. Throws OpFailure for a type that cannot cross.
DLTensor view_of(const at::Tensor& tensor, DLDevice where);
DLDataType dl_type_of(const at::Tensor& tensor);

}  // namespace mortise::engine
