// The HDF5 pack: its own layout there and back, what is refused. Damaged files are the kit's.
#include "tests/unit/packs_media/media_format_under_test.h"

namespace mortise {
namespace {

using Rows = std::vector<std::string>;

class Hdf5 : public testing::Test {
 protected:
  // A file of three rows with an image column and a list of sounds, made by the writer.
  std::string sample() {
    const auto& writer =
        pack_.pack().get<mortise_dataset_format_writer>(MORTISE_KIND_DATASET_FORMAT_WRITER);
    const sdk::Schema schema = sdk::struct_schema(sdk::make_vector(
        sdk::make_schema("u", "row"), sdk::media_schema("image", MORTISE_MEDIA_IMAGE),
        sdk::media_schema("audios", MORTISE_MEDIA_AUDIO, true)));
    sdk::TextBuilder rows;
    sdk::MediumBuilder images;
    sdk::ListBuilder<sdk::MediumBuilder> audios;
    for (const char* row : {"{\"q\":\"What?\",\"n\":1.50}", "{\"q\":\"W\u00fcr?\"}", "{}"}) {
      rows.append(row);
    }
    images.append({"a.png", "PIX", "", 0, 0});
    images.append_null();
    images.append({"", "", "part.bin", 1, 2});
    audios.append_null();
    audios.items().append({"", "S1", "", 0, 0});
    audios.items().append({"x.wav", "S2", "", 0, 0});
    audios.end_row();
    audios.append_null();
    pack_.files()["part.bin"] = "wxyz";
    const sdk::Array batch =
        sdk::struct_array(3, sdk::make_vector(rows.finish(), images.finish(), audios.finish()));
    pack_.files().erase("s.h5");
    mortise_format_writer_instance* out = nullptr;
    EXPECT_EQ(writer.open(sdk::text("s.h5"), schema.get(), sdk::text("{}"), &out, nullptr), 0);
    EXPECT_EQ(writer.append(out, batch.get(), nullptr), 0);
    EXPECT_EQ(writer.commit(out, nullptr), 0);
    return std::exchange(pack_.files()["s.h5"], {});
  }
  packs_test::MediaFormatUnderTest pack_{"format_hdf5"};
};

TEST_F(Hdf5, RowsAndMediaComeBackAsTheyWereWritten) {
  pack_.files()["s.h5"] = sample();
  const Rows expected = {"{\"q\":\"What?\",\"n\":1.50} image=PIX",
                         "{\"q\":\"W\u00fcr?\"} audios=S1 audios=S2", "{} image=xy"};
  EXPECT_EQ(pack_.rows_of({"s.h5"}), expected);
  pack_.expect_exact_cursors();
  ASSERT_EQ(pack_.copy_to("t.h5").message, "");
  EXPECT_EQ(pack_.rows_of({"t.h5"}), expected);
  EXPECT_EQ(pack_.rows_of({"s.h5", "t.h5"}).size(), 6u);
}

TEST_F(Hdf5, RefusesWhatIsNoFileAndJoinsNoRows) {
  pack_.files()["s.h5"] = "hello";
  EXPECT_EQ(pack_.open({"s.h5"}).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(pack_.open({"gone.h5"}).code, MORTISE_STATUS_NOT_FOUND);
  pack_.files()["s.h5"] = sample();
  EXPECT_EQ(pack_.open({"s.h5", "s.h5"}, R"({"join":true})").code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(pack_.read({"s.h5"}, R"({"row_bytes_max":4})").failure.code,
            MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST_F(Hdf5, ProbeKnowsTheMark) {
  EXPECT_EQ(pack_.score("a.h5", sample()), 95u);
  EXPECT_EQ(pack_.score("a.h5", "hello"), 0u);
}

}  // namespace
}  // namespace mortise
