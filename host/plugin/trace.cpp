// The area behind trace.h: job/death_record.h has its layout. The file is the area itself.
#include "plugin/trace.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>

#include "base/file_ops.h"
#include "plugin/guard.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Status;
using job::DeathArea;

DeathArea area;
ThreadTrace overflow_trace;  // for threads beyond the 256th; not in the record
std::mutex name_mutex;

template <size_t N>
void copy_name(char (&to)[N], std::string_view from) {
  const size_t size = std::min(from.size(), N - 1);
  std::memcpy(to, from.data(), size);
  std::memset(to + size, 0, N - size);
}

// Gives the thread's record back when the thread ends.
struct TraceOwner {
  ThreadTrace* trace = nullptr;
  ~TraceOwner() {
    own_trace = &overflow_trace;
    if (trace != nullptr) std::atomic_ref(trace->thread).store(0);
  }
};

bool is_recorded = false;  // the area is mapped from a file

// In a forked child: the other threads are gone, this one has another id, and the parent's file is
// the parent's. Only calls that are allowed after fork.
void after_fork() {
  if (is_recorded) {
    static DeathArea copy;
    std::memcpy(static_cast<void*>(&copy), static_cast<const void*>(&area), sizeof area);
    void* own = ::mmap(&area, sizeof area, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (own != &area) ::_exit(127);
    std::memcpy(static_cast<void*>(&area), static_cast<const void*>(&copy), sizeof area);
    is_recorded = false;
  }
  for (ThreadTrace& trace : area.threads) {
    trace.thread = &trace == own_trace ? ::syscall(SYS_gettid) : 0;
  }
}

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
struct sigaction previous_actions[65];

// Only stores and async-signal-safe calls.
void on_signal(int number, siginfo_t* info, void* context) {
  area.signal = number;
  area.culprit = ::syscall(SYS_gettid);
  const struct sigaction& previous = previous_actions[number];
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(number, info, context);
    return;
  }
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN &&
      previous.sa_handler != nullptr) {
    previous.sa_handler(number);
    return;
  }
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(number, &standard, nullptr);
  // A fault of the processor comes again when this returns; a sent signal has to be sent again.
  if (info == nullptr || info->si_code <= 0) ::raise(number);
}

void install_handlers() {
  static char stack[64 * 1024];
  stack_t alternate{};
  alternate.ss_sp = stack;
  alternate.ss_size = sizeof stack;
  ::sigaltstack(&alternate, nullptr);  // a stack that overflowed cannot run a handler
  for (const int number : kSignals) {
    struct sigaction action {};
    action.sa_sigaction = &on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigaction(number, &action, &previous_actions[number]);
  }
}

}  // namespace

uint32_t trace_id(std::string_view pack_label, std::string_view slot) {
  const std::lock_guard lock(name_mutex);
  DeathArea::SlotName wanted;
  copy_name(wanted.pack, pack_label);
  copy_name(wanted.slot, slot);
  const uint32_t count = area.slots_count.load();
  for (uint32_t i = 0; i < count; ++i) {
    if (std::memcmp(&area.slots[i], &wanted, sizeof wanted) == 0) return i + 1;
  }
  if (count == DeathArea::kSlotsMax) return 0;
  area.slots[count] = wanted;
  area.slots_count.store(count + 1);
  return count + 1;
}

ThreadTrace* claim_trace() {
  static const int registered = ::pthread_atfork(nullptr, nullptr, &after_fork);
  (void)registered;
  thread_local TraceOwner owner;
  const int64_t thread = ::syscall(SYS_gettid);
  for (uint32_t i = 0; i < DeathArea::kThreadsMax; ++i) {
    ThreadTrace& trace = area.threads[i];
    int64_t nobody = 0;
    if (!std::atomic_ref(trace.thread).compare_exchange_strong(nobody, thread)) continue;
    trace.depth = 0;
    trace.last = 0;
    trace.input[0] = '\0';
    owner.trace = own_trace = &trace;
    uint32_t known = area.threads_count.load();
    while (known < i + 1 && !area.threads_count.compare_exchange_weak(known, i + 1)) {
    }
    return own_trace;
  }
  return own_trace = &overflow_trace;
}

InputNote::InputNote(std::string_view text) {
  char(&input)[120] = this_trace()->input;
  static_assert(sizeof previous_ == sizeof input);
  std::memcpy(previous_, input, sizeof input);
  // Inside another note, both are told: "train.jsonl: 32 rows".
  std::string whole(input, ::strnlen(input, sizeof input));
  if (!whole.empty() && !text.empty()) whole += ": ";
  whole += text;
  copy_name(input, whole);
}

InputNote::~InputNote() {
  std::memcpy(this_trace()->input, previous_, sizeof previous_);
}

Status start_death_record(const std::string& path) {
  if (is_recorded) {
    return Error(Code::kFailedPrecondition, "The death record was started before.").at_file(path);
  }
  base::FileOps& files = base::posix_file_ops();
  MORTISE_ASSIGN(auto file, files.open(path, base::OpenMode::kCreateNew));
  MORTISE_TRY(file->write(std::as_bytes(std::span(reinterpret_cast<char*>(&area), sizeof area))));
  MORTISE_TRY(file->sync());
  // Laid over the area itself, so every pointer into it stays good.
  void* mapped = ::mmap(&area, sizeof area, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                        file->descriptor(), 0);
  if (mapped != &area) {
    return Error(Code::kResourceExhausted, "The death record cannot be mapped.").at_file(path);
  }
  is_recorded = true;
  install_handlers();
  return {};
}

}  // namespace mortise::plugin
