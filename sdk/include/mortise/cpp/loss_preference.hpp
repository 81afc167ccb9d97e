// mortise/cpp/loss_preference.hpp: write a preference loss as a class; preference_loss_table<T>()
// makes the C table. DRAFT as the interface.
//
// T derives from PreferenceLoss and is made as T(Json config). See draft/loss_preference.h for what
// each number means.
#ifndef MORTISE_CPP_LOSS_PREFERENCE_HPP
#define MORTISE_CPP_LOSS_PREFERENCE_HPP

#include <mortise/draft/loss_preference.h>
#include <mortise/cpp/json_parse.hpp>
#include <mortise/cpp/view.hpp>

#include <cmath>
#include <string>

namespace mortise::sdk {

// S answers; the arrays are the host's.
struct PreferenceAnswers {
  size_t count = 0;                   // S
  const double* policy = nullptr;     // [S], log-probabilities
  const double* reference = nullptr;  // [S]
  const int32_t* tokens = nullptr;    // [S]
  const int32_t* wanted = nullptr;    // [S]
  double kl = 0;
};

class PreferenceLoss {
 public:
  virtual ~PreferenceLoss() = default;
  // MORTISE_PREFERENCE_... [any]
  virtual uint32_t facts() const = 0;
  // The sum; writes its slope and the rewards, both [S]. The answers are checked. [serial]
  virtual double evaluate(const PreferenceAnswers& answers, double* grad_policy,
                          double* rewards) const = 0;
};

// log(sigmoid(x)) without overflow, and sigmoid.
inline double log_sigmoid(double x) {
  return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x));
}
inline double sigmoid(double x) {
  return std::exp(log_sigmoid(x));
}

namespace detail {

inline void check_answer(const PreferenceAnswers& a, size_t s, bool is_paired) {
  const auto refuse = [s](const std::string& what) {
    throw invalid_argument("Answer " + std::to_string(s) + ": " + what)
        .at("", static_cast<int64_t>(s) + 1, -1, "");
  };
  if (!std::isfinite(a.policy[s])) refuse("policy is not finite.");
  if (!std::isfinite(a.reference[s])) refuse("reference is not finite.");
  if (a.tokens[s] < 1) refuse("tokens is " + std::to_string(a.tokens[s]) + ", expected 1 or more.");
  if (a.wanted[s] != 0 && a.wanted[s] != 1) refuse("wanted is neither 0 nor 1.");
  if (is_paired && a.wanted[s] != (s % 2 == 0 ? 1 : 0)) {
    refuse("pairs are a wanted answer and an unwanted one, in this order.");
  }
}

inline void evaluate_preference(const PreferenceLoss& loss, const mortise_preference_call& call) {
  const size_t count = call.answers_count;
  const void* arrays[] = {call.policy, call.reference,   call.tokens, call.wanted,
                          call.loss,   call.grad_policy, call.rewards};
  for (const void* array : arrays) {
    if (array == nullptr && count > 0) {
      throw invalid_argument("An array of mortise_preference_call is NULL.");
    }
  }
  if (call.loss == nullptr) throw invalid_argument("mortise_preference_call.loss is NULL.");
  const bool is_paired = (loss.facts() & MORTISE_PREFERENCE_PAIRED) != 0;
  if (is_paired && count % 2 != 0) {
    throw invalid_argument(std::to_string(count) + " answers are no pairs.");
  }
  if (!std::isfinite(call.kl) || call.kl < 0) {
    throw invalid_argument("kl is " + std::to_string(call.kl) + ", expected a number from 0 on.");
  }
  const PreferenceAnswers answers{count,       call.policy, call.reference,
                                  call.tokens, call.wanted, call.kl};
  for (size_t s = 0; s < count; ++s) check_answer(answers, s, is_paired);
  *call.loss = loss.evaluate(answers, call.grad_policy, call.rewards);
}

}  // namespace detail

// The table over class T; lives as long as the process.
template <class T>
const mortise_preference_loss* preference_loss_table() {
  static const mortise_preference_loss table = [] {
    mortise_preference_loss t{};
    t.struct_size = sizeof(t);
    t.create = [](mortise_text config, mortise_preference_instance** out,
                  mortise_preference_facts* out_facts, mortise_error* error) {
      return guarded(error, [&] {
        const JsonDocument document = parse_config(view(config));
        PreferenceLoss* made = new T(document.root());
        mortise_preference_facts facts{};
        facts.flags = made->facts();
        write_struct(out_facts, facts);
        *out = reinterpret_cast<mortise_preference_instance*>(made);
      });
    };
    t.destroy = [](mortise_preference_instance* instance) {
      delete reinterpret_cast<PreferenceLoss*>(instance);
    };
    t.evaluate = [](mortise_preference_instance* instance, const mortise_preference_call* call,
                    mortise_error* error) {
      return guarded(error, [&] {
        const mortise_preference_call known = read_struct(call);
        check_flags(known.flags, 0, "mortise_preference_call");
        detail::evaluate_preference(*reinterpret_cast<const PreferenceLoss*>(instance), known);
      });
    };
    return t;
  }();
  return &table;
}

}  // namespace mortise::sdk

#endif
