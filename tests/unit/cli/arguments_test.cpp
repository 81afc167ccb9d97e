// The words of a command line against the tables of commands: what is read, and how a wrong word
// is answered. No command is run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/command.h"
#include "job/exit_code.h"

namespace mortise::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using Words = std::vector<std::string>;

std::string detail(const base::Error& error, std::string_view wanted) {
  for (const auto& [key, value] : error.details) {
    if (key == wanted) return value;
  }
  return "";
}

// The error of a line that must be refused as wrong usage: exit code 2.
base::Error refusal(const Words& words) {
  auto parsed = parse_arguments(words);
  if (parsed.ok()) {
    ADD_FAILURE() << "The line was accepted.";
    return {};
  }
  EXPECT_EQ(parsed.error().code, base::Code::kInvalidArgument);
  EXPECT_EQ(detail(parsed.error(), "exit_code"), "2");
  EXPECT_EQ(parsed.error().message.back(), '.') << parsed.error().message;
  return parsed.error();
}

TEST(ParseArguments, FindsACommandOfOneWord) {
  const auto parsed = parse_arguments({"status"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  EXPECT_EQ(parsed->found->noun, "status");
  EXPECT_TRUE(parsed->arguments.values.empty());
  EXPECT_FALSE(parsed->arguments.is_json);
}

TEST(ParseArguments, PutsPositionalsInTheirOrder) {
  const auto parsed = parse_arguments({"plugin", "new", "metric", "com.example.f1"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  EXPECT_EQ(parsed->found->verb, "new");
  EXPECT_EQ(parsed->arguments.text("kind"), "metric");
  EXPECT_EQ(parsed->arguments.text("id"), "com.example.f1");
  EXPECT_EQ(parsed->arguments.text("--out", "f1"), "f1");
}

TEST(ParseArguments, TakesAValueAfterSpaceOrEqualsSign) {
  const Words line = {"plugin", "check", "pack"};
  for (const Words& tail : {Words{"--seed", "7"}, Words{"--seed=7"}}) {
    Words words = line;
    words.insert(words.end(), tail.begin(), tail.end());
    const auto parsed = parse_arguments(words);
    ASSERT_TRUE(parsed.ok()) << parsed.error().text();
    EXPECT_EQ(*parsed->arguments.integer("--seed", 42), 7);
  }
}

TEST(ParseArguments, KeepsLaterEqualsSignsInTheValue) {
  const auto parsed = parse_arguments(
      {"dataset", "check", "rows.jsonl", "--task-type", "vqa", "--map=question=query"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  EXPECT_EQ(parsed->arguments.text("--map"), "question=query");
}

TEST(ParseArguments, KeepsAnEmptyValueGivenWithEqualsSign) {
  const auto parsed = parse_arguments({"plugin", "check", "pack", "--filter="});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  EXPECT_TRUE(parsed->arguments.has("--filter"));
  EXPECT_EQ(parsed->arguments.text("--filter", "other"), "");
}

TEST(ParseArguments, TakesAWordWithDashesAsTheValueOfAnOption) {
  const auto parsed = parse_arguments({"plugin", "check", "pack", "--filter", "--seed"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  EXPECT_EQ(parsed->arguments.text("--filter"), "--seed");
  EXPECT_FALSE(parsed->arguments.has("--seed"));
}

TEST(ParseArguments, CollectsARepeatedOptionThatTakesMany) {
  const auto parsed = parse_arguments({"dataset", "check", "rows.jsonl", "--task-type", "vqa",
                                       "--map", "question=q", "--map", "output=a"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  EXPECT_THAT(parsed->arguments.all("--map"), ElementsAre("question=q", "output=a"));
}

TEST(ParseArguments, CollectsAPositionalThatTakesMany) {
  const auto parsed = parse_arguments({"tokenizer", "train", "a.txt", "b.txt", "--out", "tok"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  EXPECT_THAT(parsed->arguments.all("file"), ElementsAre("a.txt", "b.txt"));
}

TEST(ParseArguments, ReadsJsonAnywhere) {
  for (const Words& words : {Words{"--json", "plugin", "why", "mortise.metric_bleu"},
                             Words{"plugin", "--json", "why", "mortise.metric_bleu"},
                             Words{"plugin", "why", "mortise.metric_bleu", "--json"}}) {
    const auto parsed = parse_arguments(words);
    ASSERT_TRUE(parsed.ok()) << parsed.error().text();
    EXPECT_TRUE(parsed->arguments.is_json);
    EXPECT_EQ(parsed->arguments.text("id"), "mortise.metric_bleu");
  }
}

TEST(ParseArguments, RefusesAnUnknownNounWithTheNearest) {
  const base::Error error = refusal({"datset", "list"});
  EXPECT_THAT(error.message, HasSubstr("\"datset\""));
  EXPECT_THAT(error.hint, HasSubstr("\"dataset\""));
}

TEST(ParseArguments, PointsToHelpWhenNothingIsNear) {
  const base::Error error = refusal({"xyzzyplugh"});
  EXPECT_THAT(error.hint, HasSubstr("mortise --help"));
  EXPECT_THAT(error.hint, Not(HasSubstr("Did you mean")));
}

TEST(ParseArguments, GuessesNoCommandThatSharesNoLetter) {
  EXPECT_THAT(refusal({"zz"}).hint, Not(HasSubstr("Did you mean")));
}

TEST(ParseArguments, RefusesAnUnknownVerbAndListsTheOnesThereAre) {
  const base::Error error = refusal({"plugin", "chek"});
  EXPECT_THAT(error.message, HasSubstr("\"plugin\" has no verb \"chek\""));
  EXPECT_THAT(error.hint, HasSubstr("check"));
  EXPECT_THAT(error.hint, HasSubstr("install"));
}

TEST(ParseArguments, RefusesANounWithoutItsVerb) {
  EXPECT_THAT(refusal({"plugin"}).message, HasSubstr("A verb is missing after \"plugin\""));
}

TEST(ParseArguments, RefusesAnUnknownOptionWithTheNearest) {
  const base::Error error = refusal({"plugin", "check", "pack", "--sede", "7"});
  EXPECT_THAT(error.message, HasSubstr("`mortise plugin check` has no option --sede"));
  EXPECT_EQ(error.hint, "Did you mean --seed?");
}

TEST(ParseArguments, KnowsJsonWhenItGuessesAnOption) {
  EXPECT_EQ(refusal({"status", "--jsno"}).hint, "Did you mean --json?");
}

TEST(ParseArguments, NeverGuessesAPositionalForAnOption) {
  EXPECT_THAT(refusal({"plugin", "why", "--id"}).hint, Not(HasSubstr("mean id")));
}

TEST(ParseArguments, RefusesAMissingPositional) {
  const base::Error error = refusal({"plugin", "new", "metric"});
  EXPECT_THAT(error.message, HasSubstr("needs ID"));
}

TEST(ParseArguments, RefusesAMissingRequiredOption) {
  const base::Error error = refusal({"plugin", "sign", "pack"});
  EXPECT_THAT(error.message, HasSubstr("`mortise plugin sign` needs --key"));
}

TEST(ParseArguments, RefusesAnOptionWithoutItsValue) {
  EXPECT_THAT(refusal({"plugin", "sign", "pack", "--key"}).message,
              HasSubstr("--key needs a value: FILE"));
}

TEST(ParseArguments, RefusesAValueForAFlag) {
  EXPECT_THAT(refusal({"plugin", "check", "pack", "--junit=no"}).message,
              HasSubstr("--junit takes no value"));
}

TEST(ParseArguments, RefusesAnOptionThatStandsTwice) {
  EXPECT_THAT(refusal({"plugin", "check", "pack", "--seed=1", "--seed=2"}).message,
              HasSubstr("--seed stands twice"));
}

TEST(ParseArguments, RefusesOneWordTooMany) {
  const base::Error error = refusal({"plugin", "why", "a.b", "c.d"});
  EXPECT_THAT(error.message, HasSubstr("\"c.d\" is one word too many"));
  EXPECT_THAT(error.hint, HasSubstr("mortise plugin why --help"));
}

TEST(ParseArguments, RefusesAWordAfterACommandThatTakesNone) {
  EXPECT_THAT(refusal({"status", "now"}).message, HasSubstr("one word too many"));
}

TEST(ParseArguments, RefusesWhatIsNoWholeNumber) {
  for (const char* word : {"seven", "7x", "", "1.5", "99999999999999999999"}) {
    EXPECT_THAT(refusal({"plugin", "check", "pack", std::string("--seed=") + word}).message,
                HasSubstr("--seed takes a whole number"));
    EXPECT_THAT(refusal({"dataset", "list", "--limit", word}).message,
                HasSubstr("--limit takes a whole number"));
  }
}

TEST(Arguments, FallBackWhenAnOptionIsAbsent) {
  const Arguments none;
  EXPECT_EQ(*none.integer("--limit", 50), 50);
  EXPECT_EQ(none.text("--filter", "all"), "all");
  EXPECT_TRUE(none.all("--map").empty());
}

TEST(Help, StandsForNoWordsForJsonAloneAndForHelp) {
  for (const Words& words : {Words{}, Words{"--json"}, Words{"--help"}, Words{"-h"}}) {
    const auto parsed = parse_arguments(words);
    ASSERT_TRUE(parsed.ok()) << parsed.error().text();
    EXPECT_EQ(parsed->found, nullptr);
    EXPECT_THAT(parsed->help, HasSubstr("usage: mortise NOUN VERB"));
    EXPECT_THAT(parsed->help, HasSubstr("mortise plugin check"));
  }
}

TEST(Help, OfANounListsOnlyItsVerbs) {
  const auto parsed = parse_arguments({"plugin", "--help"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->help, HasSubstr("mortise plugin sign"));
  EXPECT_THAT(parsed->help, Not(HasSubstr("mortise dataset")));
}

TEST(Help, OfACommandNamesItsWordsAndOptionsWithoutAskingForThem) {
  const auto parsed = parse_arguments({"plugin", "sign", "--help"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  EXPECT_EQ(parsed->found, nullptr);
  EXPECT_THAT(parsed->help, HasSubstr("mortise plugin sign PACK [options]"));
  EXPECT_THAT(parsed->help, HasSubstr("--key FILE"));
  EXPECT_THAT(parsed->help, HasSubstr("--json"));
}

TEST(Help, OfAnUnknownNounIsAnError) {
  EXPECT_THAT(refusal({"plugn", "--help"}).hint, HasSubstr("\"plugin\""));
}

TEST(Help, OfAnUnknownVerbIsAnError) {
  EXPECT_THAT(refusal({"plugin", "chek", "--help"}).message, HasSubstr("no verb \"chek\""));
}

TEST(Commands, AreNamedOnceAndSayWhatTheyDo) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Command& command : commands()) {
    const std::string name = std::string(command.noun) + " " + std::string(command.verb);
    EXPECT_TRUE(seen.emplace(command.noun, command.verb).second) << name << " stands twice";
    EXPECT_TRUE(command.help.ends_with('.')) << name;
    EXPECT_NE(command.run, nullptr) << name;
  }
}

// The parser could never fill, or never find, an option that breaks one of these.
TEST(Commands, HaveOptionsThatCanBeRead) {
  for (const Command& command : commands()) {
    const std::string name = std::string(command.noun) + " " + std::string(command.verb);
    std::set<std::string_view> seen;
    bool takes_the_rest = false;
    for (const Option& option : command.options) {
      EXPECT_TRUE(seen.insert(option.name).second) << name << " " << option.name;
      EXPECT_NE(option.name, "--json") << name;
      EXPECT_NE(option.name, "--help") << name;
      EXPECT_EQ(option.take == Take::kFlag, option.value.empty()) << name << " " << option.name;
      if (option.name.starts_with("-")) {
        EXPECT_TRUE(option.name.starts_with("--")) << name << " " << option.name;
        continue;
      }
      EXPECT_FALSE(takes_the_rest) << name << ": nothing reaches " << option.name;
      takes_the_rest = option.take == Take::kMany;
    }
  }
}

TEST(Arguments, ReadRepeatedPairsAndNameTheWordThatIsNone) {
  Arguments arguments;
  arguments.values["--map"] = {"question=query", "output=a=b"};
  const auto pairs = arguments.pairs("--map");
  ASSERT_TRUE(pairs.ok()) << pairs.error().text();
  EXPECT_EQ((*pairs)["question"].as_string(), "query");
  EXPECT_EQ((*pairs)["output"].as_string(), "a=b");
  for (const char* wrong : {"question", "=query"}) {
    arguments.values["--map"] = {wrong};
    const auto refused = arguments.pairs("--map");
    ASSERT_FALSE(refused.ok()) << wrong;
    EXPECT_NE(refused.error().message.find(wrong), std::string::npos);
  }
}

TEST(Arguments, TakesAFormatAndItsConfigurationWhereRowsAreRead) {
  const Words options = {"--format", "mortise.format_csv", "--format-config", "{\"header\":false}"};
  for (Words line : {Words{"dataset", "check", "a.csv", "--task-type", "sft", "--whole"},
                     Words{"dataset", "upload", "a", "a.csv", "--task-type", "sft", "--patch"},
                     Words{"dataset", "append", "a", "a.csv", "--patch"}}) {
    line.insert(line.end(), options.begin(), options.end());
    const auto parsed = parse_arguments(line);
    ASSERT_TRUE(parsed.ok()) << parsed.error().text();
    EXPECT_EQ(parsed->arguments.text("--format"), "mortise.format_csv");
    EXPECT_EQ(parsed->arguments.json("--format-config", {})->dump(), "{\"header\":false}");
    EXPECT_EQ(parsed->arguments.json("--absent", base::Json(7))->as_int(), 7);
  }
}

TEST(Arguments, RefusesAValueThatIsNoJson) {
  const auto parsed =
      parse_arguments({"dataset", "append", "a", "a.csv", "--format-config", "{header: false}"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text();
  const auto value = parsed->arguments.json("--format-config", {});
  ASSERT_FALSE(value.ok());
  EXPECT_EQ(value.error().field, "--format-config");
  EXPECT_EQ(detail(value.error(), "exit_code"), "2");
}

}  // namespace
}  // namespace mortise::cli
