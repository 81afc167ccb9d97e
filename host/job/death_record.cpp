// See death_record.h.
#include "job/death_record.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <memory>

namespace mortise::job {

using base::Code;
using base::Error;
using base::Result;

static_assert(sizeof(DeathArea) % 4096 == 0);

namespace {

DeathCall call_of(const DeathArea& dead, const ThreadTrace& trace, uint32_t id) {
  DeathCall call;
  call.thread = trace.thread;
  call.is_culprit = dead.signal != 0 && dead.culprit == trace.thread;
  const auto text = [](const char* chars, size_t size) {
    return std::string(chars, ::strnlen(chars, size));
  };
  call.input = text(trace.input, sizeof trace.input);
  if (id == 0 || id > std::min(dead.slots_count.load(), DeathArea::kSlotsMax)) return call;
  const DeathArea::SlotName& name = dead.slots[id - 1];
  call.pack = text(name.pack, sizeof name.pack);
  call.slot = text(name.slot, sizeof name.slot);
  return call;
}

std::string signal_name(int number) {
  switch (number) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    case SIGABRT:
      return "SIGABRT";
    default:
      return "signal " + std::to_string(number);
  }
}

}  // namespace

Result<DeathRecord> read_death_record(base::FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(const std::string bytes, base::read_file(files, path, 2 * sizeof(DeathArea)));
  const auto dead = std::make_unique<DeathArea>();
  if (bytes.size() != sizeof(DeathArea)) {
    return Error(Code::kDataLoss, "This is not a death record: its size is wrong.").at_file(path);
  }
  std::memcpy(static_cast<void*>(dead.get()), bytes.data(), bytes.size());
  if (dead->magic != DeathArea::kMagic || dead->struct_size != sizeof(DeathArea)) {
    return Error(Code::kDataLoss, "This is not a death record of this version.").at_file(path);
  }
  DeathRecord record;
  record.signal = dead->signal;
  const uint32_t threads = std::min(dead->threads_count.load(), DeathArea::kThreadsMax);
  for (uint32_t i = 0; i < threads; ++i) {
    const ThreadTrace& trace = dead->threads[i];
    if (trace.thread == 0) continue;
    const uint32_t depth = std::min(trace.depth, ThreadTrace::kDepthMax);
    for (uint32_t level = depth; level-- > 0;) {  // the innermost first
      record.inside.push_back(call_of(*dead, trace, trace.calls[level]));
    }
    if (depth == 0 && trace.last != 0) record.last.push_back(call_of(*dead, trace, trace.last));
  }
  std::stable_partition(record.inside.begin(), record.inside.end(),
                        [](const DeathCall& call) { return call.is_culprit; });
  return record;
}

std::string DeathRecord::text() const {
  if (inside.empty()) {
    if (signal == 0) return "The process ended outside of any plugin call.";
    return "The process died with " + signal_name(signal) + " outside of any plugin call.";
  }
  const DeathCall& call = inside.front();
  std::string text = call.pack.empty() ? "A plugin" : call.pack;
  if (signal != 0 && !call.is_culprit) {
    text = "The process died with " + signal_name(signal) + " outside of a plugin call, while " +
           text + " was in " + call.slot;
  } else {
    text += signal != 0 ? " died with " + signal_name(signal) : " ended the process or was killed";
    text += " in " + (call.slot.empty() ? std::string("an unknown slot") : call.slot);
  }
  return text + (call.input.empty() ? "." : " on " + call.input + ".");
}

Error death_error(base::FileOps& files, const std::string& task_folder, const std::string& how,
                  const std::string& hint) {
  const auto record = read_death_record(files, base::join_path(task_folder, kDeathRecordFile));
  if (!record.ok() || record->inside.empty()) return Error(Code::kInternal, how + ".", hint);
  const DeathCall& call = record->inside.front();
  Error error(Code::kInternal, how + ": " + record->text(),
              "Try the pack by itself with mortise plugin check, or another version of it; "
              "mortise plugin why says which one was taken.");
  if (!hint.empty()) error.hint += " " + hint;
  return error.with("pack", call.pack).with("slot", call.slot).with("input", call.input);
}

}  // namespace mortise::job
