// See pipeline.h.
#include "run/pipeline.h"

#include <algorithm>
#include <optional>

#include "job/error_json.h"

namespace mortise::run {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Status;

constexpr std::string_view kStepPrefix = "steps.";

std::optional<double> value_of(const Json& scores, const std::string& metric, std::string_view of) {
  for (const Json& score : scores.items()) {
    const std::string& name = score["name"].as_string();
    const bool named = metric == name || metric == score["metric"].as_string() + "." + name;
    const std::string& measured = score["of"].as_string();
    if (named && (measured == of || (measured.empty() && of == "tuned")) &&
        score["group"].as_string().empty()) {
      return score["value"].as_double();
    }
  }
  return std::nullopt;
}

Error gate_closed(const std::string& what) {
  return Error(Code::kFailedPrecondition, "The gate is closed: " + what + ".",
               "Nothing after it was run; compare the scores with mortise job show.");
}

// "steps.tune" -> what the step of this name published last.
base::Result<std::string> resolve_step(hub::Hub& hub, const std::vector<hub::Job>& children,
                                       const std::string& reference) {
  if (!reference.starts_with(kStepPrefix)) return reference;
  const std::string name = reference.substr(kStepPrefix.size());
  for (const hub::Job& child : children) {
    if (child.manifest["name"].as_string() != name) continue;
    MORTISE_ASSIGN(const hub::Job fresh, hub.jobs().get(child.id));
    const Json& models = fresh.record["models"];
    if (models.size() > 0) return models.at(0).as_string();
    return Error(Code::kFailedPrecondition, "The step \"" + name + "\" published no model.");
  }
  return Error(Code::kNotFound, "No earlier step has the name \"" + name + "\".",
               "Give the step a name and put it before this one.");
}

Status submit_step(hub::Hub& hub, const hub::Job& pipeline, const std::vector<hub::Job>& children) {
  Json step = pipeline.manifest["steps"].at(children.size());
  for (const char* key : {"model", "adapter"}) {
    if (!step[key].is_string()) continue;
    MORTISE_ASSIGN(std::string resolved, resolve_step(hub, children, step[key].as_string()));
    step[key] = std::move(resolved);
  }
  for (const char* key : {"model", "adapter", "dataset", "name", "task"}) {
    if (step[key].is_null()) step.erase(key);
  }
  MORTISE_ASSIGN(const auto manifest, job::check_manifest(std::move(step), "the pipeline's step"));
  MORTISE_TRY(hub.jobs().submit({manifest, pipeline.id, "", ""}));
  return hub.jobs().set_progress(
      pipeline,
      Json::object({{"phase", manifest.kind},
                    {"step", static_cast<int64_t>(children.size()) + 1},
                    {"steps_total", static_cast<int64_t>(pipeline.manifest["steps"].size())}}));
}

Status fail(hub::Hub& hub, const hub::Job& pipeline, const Error& error) {
  return hub.jobs().finish(pipeline, "failed", error.message, job::problem_of(error));
}

Status finish(hub::Hub& hub, const hub::Job& pipeline, const std::vector<hub::Job>& children) {
  job::TaskResult result;
  result.ok = true;
  result.summary = std::to_string(children.size()) + " steps are done";
  Json record = Json::object({{"manifest", pipeline.manifest}});
  record["steps"] = Json::array();
  for (const hub::Job& child : children) {
    MORTISE_ASSIGN(const hub::Job fresh, hub.jobs().get(child.id));
    record["steps"].push_back(Json::object({{"job", fresh.id},
                                            {"kind", fresh.kind},
                                            {"models", fresh.record["models"]},
                                            {"scores", fresh.record["scores"]}}));
  }
  return hub.jobs().publish(pipeline, result, record, {});
}

}  // namespace

Status check_gate(const Json& gate, const Json& scores) {
  const std::string& metric = gate["metric"].as_string();
  const auto value = value_of(scores, metric, "tuned");
  if (!value.has_value()) {
    return Error(Code::kNotFound, "The gate asks for \"" + metric + "\", which was not measured.",
                 "Name a row that the evaluation gives, as in mortise.metric_bleu.bleu.")
        .at_field("/gate/metric");
  }
  const std::string shown = metric + " is " + Json(*value).dump();
  if (gate["min"].is_number() && *value < gate["min"].as_double()) {
    return gate_closed(shown + ", at least " + gate["min"].dump() + " is asked");
  }
  if (gate["max"].is_number() && *value > gate["max"].as_double()) {
    return gate_closed(shown + ", at most " + gate["max"].dump() + " is asked");
  }
  if (gate["min_gain"].is_number()) {
    const auto before = value_of(scores, metric, "base");
    if (!before.has_value()) {
      return Error(Code::kNotFound, "min_gain needs the score of the base, which was not measured.",
                   "Set evaluate.base to true.");
    }
    if (*value - *before < gate["min_gain"].as_double()) {
      return gate_closed(shown + ", the base has " + Json(*before).dump() + ", a gain of " +
                         gate["min_gain"].dump() + " is asked");
    }
  }
  return {};
}

Status advance_pipeline(hub::Hub& hub, const hub::Job& pipeline) {
  MORTISE_ASSIGN(auto page, hub.jobs().list({"", "", pipeline.id}, {1000, ""}));
  std::vector<hub::Job>& children = page.items;
  std::reverse(children.begin(), children.end());  // oldest first
  if (!children.empty()) {
    const hub::Job& last = children.back();
    if (!last.is_final()) {
      return pipeline.cancel_wanted && !last.cancel_wanted ? hub.jobs().cancel(last.id) : Status();
    }
    if (pipeline.cancel_wanted) {
      return hub.jobs().finish(pipeline, "cancelled", "asked for", Json());
    }
    if (last.state != "done") {
      return fail(hub, pipeline,
                  Error(Code::kFailedPrecondition,
                        "The step " + std::to_string(children.size()) + " (" + last.kind +
                            ", job " + last.id + ") is " + last.state + ".",
                        last.error["detail"].as_string()));
    }
    const Json& gate = pipeline.manifest["steps"].at(children.size() - 1)["gate"];
    if (gate.is_object()) {
      if (const Status open = check_gate(gate, last.record["scores"]); !open.ok()) {
        return fail(hub, pipeline, open.error());
      }
    }
  } else if (pipeline.cancel_wanted) {
    return hub.jobs().finish(pipeline, "cancelled", "asked for", Json());
  }
  if (children.size() >= pipeline.manifest["steps"].size()) {
    return finish(hub, pipeline, children);
  }
  const Status submitted = submit_step(hub, pipeline, children);
  return submitted.ok() ? submitted : fail(hub, pipeline, submitted.error());
}

}  // namespace mortise::run
