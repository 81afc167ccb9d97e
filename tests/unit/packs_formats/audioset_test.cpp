// The AudioSet pack: weak and strong segments, names of labels, clips beside them.
#include "tests/unit/packs_support/format_under_test.h"

namespace mortise {
namespace {

using packs_test::FormatUnderTest;
using Texts = std::vector<std::string>;

constexpr const char* kLabels =
    "index,mid,display_name\n0,/m/01,\"Male speech, man \"\"speaking\"\"\"\n1,/m/02,Car\n";
constexpr const char* kWeak =
    "# Segments\n# num_ytids=2\n# YTID, start_seconds, end_seconds, positive_labels\n"
    "-0RWZT-miFs, 420.000, 430.000, \"/m/01,/m/02\"\n--4gqARaEJE, 0.000, 9.500, \"/m/02\"\n";

class FormatAudioSet : public testing::Test {
 protected:
  FormatAudioSet() { pack_.files()["d/class_labels_indices.csv"] = kLabels; }
  Texts rows(const std::string& text, const std::string& config = "{}") {
    pack_.files()["d/eval_segments.csv"] = text;
    return pack_.rows_of({"d/eval_segments.csv"}, config);
  }
  sdk::Failure failure(const std::string& text) {
    pack_.files()["d/eval_segments.csv"] = text;
    return pack_.read({"d/eval_segments.csv"}).failure;
  }
  FormatUnderTest pack_{MORTISE_FORMAT_AUDIOSET};
};

TEST_F(FormatAudioSet, SegmentsHaveTheirLabelsNamesAndClips) {
  pack_.files()["d/audio/Y-0RWZT-miFs.wav"] = "";

  EXPECT_EQ(
      rows(kWeak),
      (Texts{
          R"({"ytid":"-0RWZT-miFs","start_seconds":420,"end_seconds":430,"labels":["Male speech, man \"speaking\"","Car"],"label_ids":["/m/01","/m/02"],"audio_path":"audio/Y-0RWZT-miFs.wav"})",
          R"({"ytid":"--4gqARaEJE","start_seconds":0,"end_seconds":9.5,"labels":["Car"],"label_ids":["/m/02"]})"}));
}

TEST_F(FormatAudioSet, ReadsTheCopyWithAPlainHeader) {
  EXPECT_EQ(
      rows("YTID,start_seconds,end_seconds,positive_labels\r\n--4gqARaEJE,0.000,10.000,\"/m/"
           "02\"\r\n"),
      Texts{
          R"({"ytid":"--4gqARaEJE","start_seconds":0,"end_seconds":10,"labels":["Car"],"label_ids":["/m/02"]})"});
}

TEST_F(FormatAudioSet, ClipsAreFoundByTheUsualNames) {
  const std::string line = "YTID,\nabcdefghijk,30.000,40.000,\"/m/02\"\n";
  for (const std::string name :
       {"abcdefghijk.flac", "clips/Yabcdefghijk.mp3", "wav/abcdefghijk_30.wav",
        "eval_segments/abcdefghijk_30_40.wav", "audio/abcdefghijk_30000.opus",
        "audios/Yabcdefghijk_30000_40000.m4a", "audio/abcdefghijk_30.000_40.000.wav"}) {
    pack_.files() = {{"d/class_labels_indices.csv", kLabels}, {"d/" + name, ""}};
    EXPECT_NE(rows(line).at(0).find("\"audio_path\":\"" + name + "\""), std::string::npos) << name;
  }
  pack_.files() = {{"d/class_labels_indices.csv", kLabels}, {"d/mine/abcdefghijk.wav", ""}};
  EXPECT_EQ(rows(line).at(0).find("audio_path"), std::string::npos);
  EXPECT_NE(rows(line, R"({"audio_folder":"mine"})").at(0).find("mine/abcdefghijk.wav"),
            std::string::npos);
}

TEST_F(FormatAudioSet, StrongLabelsHaveTimesInTheirClip) {
  pack_.files()["d/mid_to_display_name.tsv"] = "/m/09\tBark\n";

  EXPECT_EQ(
      rows("segment_id\tstart_time_seconds\tend_time_seconds\tlabel\nb0RFKhbpFJA_30000\t0.000\t2."
           "500\t/m/09\n"),
      Texts{
          R"({"ytid":"b0RFKhbpFJA","clip_start_seconds":30,"start_seconds":0,"end_seconds":2.5,"labels":["Bark"],"label_ids":["/m/09"]})"});
}

TEST_F(FormatAudioSet, RefusesWhatIsMissingOrWrongWithRowAndByte) {
  const std::string good = "YTID,\n--4gqARaEJE,0.000,10.000,\"/m/02\"\n";
  for (const std::string bad :
       {"--4gqARaEJE,0.000,10.000,\"/m/99\"\n", "--4gqARaEJE,0.000\n",
        "--4gqARaEJE,x,10.000,\"/m/02\"\n", "--4gqARaEJE,11,10.000,\"/m/02\"\n",
        "--4gqARaEJE,0.000,10.000,\"\"\n", "--4gqARaEJE,0.000,10.000,\xFF\n"}) {
    const sdk::Failure found = failure(good + bad);
    EXPECT_EQ(found.code, MORTISE_STATUS_INVALID_ARGUMENT) << bad;
    EXPECT_EQ(found.row, 2) << bad;
    EXPECT_GE(found.byte, 39) << bad;
  }
  EXPECT_EQ(failure("a,b\n1,2\n").code, MORTISE_STATUS_INVALID_ARGUMENT);
  pack_.files().erase("d/class_labels_indices.csv");
  EXPECT_EQ(failure(good).code, MORTISE_STATUS_NOT_FOUND);
  EXPECT_NE(failure(good).hint.find("class_labels_indices.csv"), std::string::npos);
}

TEST_F(FormatAudioSet, CursorsAreExact) {
  pack_.files()["d/a.csv"] = kWeak;
  ASSERT_EQ(pack_.open({"d/a.csv"}).code, MORTISE_STATUS_OK);

  pack_.expect_exact_cursors();
}

}  // namespace
}  // namespace mortise
