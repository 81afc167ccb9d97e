// Kinds whose checks are not written yet: each answers UNIMPLEMENTED.
#include "plugin/kit/check.h"
#include "plugin/kit/exercise.h"

namespace mortise::plugin::kit {

namespace {
base::Error later() {
  return base::Error(base::Code::kUnimplemented, "The kit has no checks of this kind yet.");
}
}  // namespace

std::span<const Check> tokenizer_checks() {
  return {};
}
std::span<const Check> format_checks() {
  return {};
}
std::span<const Check> writer_checks() {
  return {};
}
std::span<const Check> loss_checks() {
  return {};
}
std::span<const Check> device_checks() {
  return {};
}
std::span<const Check> device_op_checks() {
  return {};
}
base::Result<std::string> exercise_tokenizer(Case&, const std::shared_ptr<Plugin>&) {
  return later();
}
base::Result<std::string> exercise_format(Case&, const std::shared_ptr<Plugin>&) {
  return later();
}
base::Result<std::string> exercise_loss(Case&, const std::shared_ptr<Plugin>&) {
  return later();
}
base::Result<std::string> exercise_device(Case&, const std::shared_ptr<Plugin>&) {
  return later();
}

}  // namespace mortise::plugin::kit
