// Rows with pictures, sound and film, read lazily: in plain files and sealed, by threads, from any
// cursor, within a bound of bytes.
#include "engine/data/multimodal_dataset.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "tests/support/media_files.h"
#include "tests/support/png.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::Code;
using ingest::MediaKind;

std::string read_whole(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

using Files = std::map<std::string, std::string>;

Files media_files() {
  const auto picture = [](int side, uint8_t value) {
    return tests::png_of(side, {value, value, value});
  };
  Files files;
  for (int i = 0; i < 6; ++i) {
    const auto value = static_cast<uint8_t>(10 + i);
    files["p" + std::to_string(i) + ".png"] = picture(20 + i, value);
  }
  for (int i = 0; i < 11; ++i) {  // frame_10 comes after frame_9
    files["clip/frame_" + std::to_string(i) + ".png"] = picture(8, static_cast<uint8_t>(i));
  }
  files["clip/notes.txt"] = "no picture";
  files["clip.tar"] = tests::tar_file({{"a.png", picture(8, 40)}, {"b.png", picture(8, 41)}});
  files["film.mp4"] = tests::film_file("mp4", "mpeg4", {50, 60, 70, 80, 90}, 64, 48, 25);
  files["s.wav"] = tests::wav_file({16384, -16384, 16384, 0}, 8000, 2);
  for (const char* name : {"s.flac", "s.ogg", "s.mp3"}) files[name] = tests::media_named(name);
  return files;
}

const std::vector<std::string> kRows = {
    R"({"image_path":"p0.png","output":"a"})",
    R"({"images":["p1.png","p2.png"],"output":"b"})",
    R"({"audio_path":"s.wav","text":"c"})",
    R"({"audio_path":"s.flac","text":"d"})",
    R"({"audio_path":"s.mp3","text":"e"})",
    R"({"audio_path":"s.ogg","text":"f"})",
    R"({"video":"film.mp4","output":"g"})",
    R"({"video":"clip","output":"h"})",
    R"({"video":"clip.tar","output":"i"})",
    R"({"video":["p3.png","p4.png","p5.png"],"output":"j"})",
    R"({"text":"words only"})",
    R"({"videos":["film.mp4",["p0.png"]],"audios":["s.wav"],"images":["p5.png"],"text":"all"})",
};

// The numbers of a row that must come out the same each time.
std::string digest_of(const DecodedRow& row) {
  std::string out = row.row.dump();
  for (const DecodedMedium& one : row.media) {
    uint64_t sum = 14695981039346656037u;
    const auto add = [&](const void* data, size_t size) {
      for (size_t i = 0; i < size; ++i) {
        sum = (sum ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211u;
      }
    };
    if (const auto* image = std::get_if<ingest::Image>(&one.medium)) {
      add(image->pixels.data(), image->pixels.size());
    } else if (const auto* sound = std::get_if<ingest::Sound>(&one.medium)) {
      add(sound->samples.data(), sound->samples.size() * sizeof(float));
    } else {
      for (const auto& frame : std::get<ingest::Film>(one.medium).frames) {
        add(frame.image.pixels.data(), frame.image.pixels.size());
      }
    }
    out += one.from.field + "=" + std::to_string(sum) + " ";
  }
  return out;
}

class MultiModal : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& bytes) {
    const auto path = std::filesystem::path(folder_.path()) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  std::string json_of(const base::Json& info) {
    write("dataset.json", info.dump());
    return folder_ / "dataset.json";
  }
  Dataset plain(const Files& files, const std::vector<std::string>& rows = kRows) {
    std::string lines;
    for (const std::string& row : rows) lines += row + "\n";
    write("rows.jsonl", lines);
    base::Json media = base::Json::object();
    for (const auto& [name, bytes] : files) {
      write("media/" + name, bytes);
      media[name] = "media/" + name;
    }
    return Dataset::open(base::posix_file_ops(),
                         json_of(base::Json::object({{"rows_file", "rows.jsonl"},
                                                     {"task_type", "chat"},
                                                     {"media", std::move(media)}})))
        .value();
  }
  Dataset sealed(const Files& files, const std::vector<std::string>& rows = kRows) {
    std::filesystem::create_directories(folder_ / "store");
    const auto key = store::DomainKey::make("0a", base::system_random());
    const auto domain = store::Domain::open(base::posix_file_ops(), base::system_random(),
                                            base::system_clock(), key, {folder_ / "store", {}})
                            .value();
    store::RowTableWriter writer(domain, key);
    for (const std::string& row : rows) EXPECT_TRUE(writer.add(row).ok());
    const auto rows_object = store::to_text(writer.finish().value());
    std::vector<store::NamedObject> names;
    for (const auto& [name, bytes] : files) {
      names.push_back({name, domain->put(base::as_bytes(bytes)).value()});
    }
    const auto media_object = store::to_text(store::write_names(domain, names)->ref);
    EXPECT_TRUE(domain->finish_segment().ok());
    return Dataset::open(base::posix_file_ops(),
                         json_of(base::Json::object({{"domain", "0a"},
                                                     {"name", "films@1"},
                                                     {"task_type", "chat"},
                                                     {"rows_object", rows_object},
                                                     {"media_object", media_object}})),
                         domain)
        .value();
  }
  static std::vector<uint64_t> all(const Dataset& rows) {
    std::vector<uint64_t> indices;
    for (uint64_t i = 0; i < rows.count(); ++i) indices.push_back(i);
    return indices;
  }

  tests::TempFolder folder_;
};

const ingest::MediaOptions kOptions = {.audio_rate = 8000,
                                       .frames = {.frames_max = 4, .frame_pixels_max = 1000}};

TEST_F(MultiModal, EachKindOfMediumBecomesWhatAModelTakes) {
  const Dataset rows = plain(media_files());
  const MultiModalDataset data(rows, kOptions);
  ASSERT_EQ(data.count(), 12u);
  const auto decoded = [&](uint64_t index) {
    auto row = data.row(index).decode();
    EXPECT_TRUE(row.ok()) << row.error().text();
    return std::move(row).value();
  };

  const DecodedRow pictures = decoded(1);
  ASSERT_EQ(pictures.media.size(), 2u);
  EXPECT_EQ(pictures.media[1].from.field, "/images/1");
  const auto& image = std::get<ingest::Image>(pictures.media[1].medium);
  EXPECT_EQ(image.width, 22);
  EXPECT_EQ(image.pixels, ingest::Pixels(22 * 22 * 3, 12));

  const auto& wav = std::get<ingest::Sound>(decoded(2).media[0].medium);
  EXPECT_EQ(wav.samples, (std::vector<float>{0, 0.25f}));  // the mean of two channels
  EXPECT_EQ(wav.rate, 8000);
  for (const uint64_t index : {3u, 4u, 5u}) {  // 1600 samples at 16 kHz, at 8 kHz
    const auto sound = std::get<ingest::Sound>(decoded(index).media[0].medium);
    EXPECT_GE(sound.samples.size(), 800u) << index;
    EXPECT_LE(sound.samples.size(), index == 4 ? 2000u : 800u) << index;  // an MP3 is padded
  }

  const auto film = std::get<ingest::Film>(decoded(6).media[0].medium);
  ASSERT_EQ(film.frames.size(), 4u);  // of 5: the budget
  EXPECT_EQ(film.frames[3].index, 4);
  EXPECT_LE(film.frames[0].image.width * film.frames[0].image.height, 1000);

  const auto folder = std::get<ingest::Film>(decoded(7).media[0].medium);
  ASSERT_EQ(folder.frames.size(), 4u);
  EXPECT_EQ(folder.frames[3].index, 10);
  EXPECT_EQ(folder.frames[3].image.pixels[0], 10);
  const auto tar = std::get<ingest::Film>(decoded(8).media[0].medium);
  ASSERT_EQ(tar.frames.size(), 2u);
  EXPECT_EQ(tar.frames[1].image.pixels[0], 41);
  const auto list = std::get<ingest::Film>(decoded(9).media[0].medium);
  ASSERT_EQ(list.frames.size(), 3u);
  EXPECT_EQ(list.frames[2].image.pixels[0], 15);

  EXPECT_TRUE(decoded(10).media.empty());
  const DecodedRow mixed = decoded(11);
  std::vector<std::string> fields;
  for (const DecodedMedium& one : mixed.media) fields.push_back(one.from.field);
  EXPECT_EQ(fields, (std::vector<std::string>{"/images/0", "/audios/0", "/videos/0", "/videos/1"}));
}

TEST_F(MultiModal, ARowIsNothingUntilItIsTouched) {
  const Dataset rows = plain(media_files(), {R"({"image_path":"p0.png"})", "{ no row", "{}"});
  const MultiModalDataset data(rows, kOptions);
  const auto broken = data.row(1);
  EXPECT_EQ(broken.index(), 1u);
  EXPECT_EQ(*broken.id(), "line:2");
  EXPECT_EQ(broken.json().error().row, 2);
  std::filesystem::remove(folder_ / "media/p0.png");
  const auto media = data.row(0).media();  // names: the file may be gone
  ASSERT_TRUE(media.ok());
  EXPECT_EQ(media->at(0).names, std::vector<std::string>{"p0.png"});
  EXPECT_EQ(media->at(0).kind, MediaKind::kImage);
}

TEST_F(MultiModal, ErrorsNameFileRowAndField) {
  Files files = media_files();
  files["cut.png"] = files["p0.png"].substr(0, 200);
  files["lie.wav"] = "RIFF no sound";
  files["empty/x.txt"] = "x";
  const Dataset rows =
      plain(files, {R"({"images":["p0.png","cut.png"]})", R"({"audio_path":"lie.wav"})",
                    R"({"video":"empty"})", R"({"video":["p0.png","cut.png"]})",
                    R"({"image_path":"gone.png"})"});
  const MultiModalDataset data(rows, kOptions);
  struct Want {
    Code code;
    const char *file, *field;
  };
  const Want wants[] = {{Code::kDataLoss, "cut.png", "/images/1"},
                        {Code::kInvalidArgument, "lie.wav", "/audio_path"},
                        {Code::kInvalidArgument, "empty", "/video"},
                        {Code::kDataLoss, "p0.png", "/video"},
                        {Code::kNotFound, "gone.png", "/image_path"}};
  for (uint64_t i = 0; i < std::size(wants); ++i) {
    const auto row = data.row(i).decode();
    ASSERT_FALSE(row.ok()) << i;
    EXPECT_EQ(row.error().code, wants[i].code) << row.error().text();
    EXPECT_EQ(row.error().file, wants[i].file) << row.error().text();
    EXPECT_EQ(row.error().field, wants[i].field);
    EXPECT_EQ(row.error().row, static_cast<int64_t>(i) + 1);
  }
  const MultiModalDataset none(rows, {.frames = {.frames_max = 0}});
  EXPECT_EQ(none.row(3).decode().error().code, Code::kInvalidArgument);
  const MultiModalDataset small(rows, {.image = {.pixels_max = 100}});
  EXPECT_EQ(small.row(0).decode().error().code, Code::kResourceExhausted);
}

TEST_F(MultiModal, AnyNumberOfThreadsGivesTheSameRowsFromEveryCursor) {
  for (const bool is_sealed : {false, true}) {
    const Dataset rows = is_sealed ? sealed(media_files()) : plain(media_files());
    const MultiModalDataset data(rows, kOptions);
    const uint64_t count = data.count(), given = 2 * count + 3;
    std::vector<std::string> want;
    std::vector<SamplerCursor> cursors = {SamplerCursor{}};
    MultiModalStream first(data, all(rows), Sampler(count, 11, true), {.threads = 0});
    for (uint64_t i = 0; i < given; ++i) {
      const auto row = first.next();
      ASSERT_TRUE(row.ok()) << row.error().text();
      want.push_back(digest_of(*row));
      cursors.push_back(first.cursor());
    }
    EXPECT_EQ(std::set<std::string>(want.begin(), want.begin() + 12).size(), 12u);
    for (int64_t threads = 0; threads <= 4; ++threads) {
      for (uint64_t from = 0; from < given; ++from) {
        Sampler sampler(count, 11, true);
        ASSERT_TRUE(sampler.seek(cursors[from]).ok());
        MultiModalStream again(data, all(rows), sampler,
                               {.threads = threads, .bytes_max = 4000, .items_max = 5});
        for (uint64_t i = from; i < std::min(given, from + 5); ++i) {
          const auto row = again.next();
          ASSERT_TRUE(row.ok()) << row.error().text();
          ASSERT_EQ(digest_of(*row), want[i]) << threads << " threads from " << from;
          ASSERT_EQ(again.cursor(), cursors[i + 1]);
        }
      }
    }
  }
}

TEST_F(MultiModal, TheErrorOfARowComesInItsPlaceAndStays) {
  Files files = media_files();
  files["cut.png"] = files["p0.png"].substr(0, 200);
  const Dataset rows = plain(files, {R"({"image_path":"p0.png"})", R"({"image_path":"p1.png"})",
                                     R"({"image_path":"cut.png"})", R"({"image_path":"p2.png"})"});
  const MultiModalDataset data(rows, kOptions);
  for (int64_t threads = 0; threads <= 4; ++threads) {
    MultiModalStream stream(data, all(rows), Sampler(4, 0, false), {.threads = threads});
    EXPECT_TRUE(stream.next().ok());
    EXPECT_TRUE(stream.next().ok());
    for (int i = 0; i < 2; ++i) {
      const auto row = stream.next();
      ASSERT_FALSE(row.ok());
      EXPECT_EQ(row.error().row, 3);
      EXPECT_EQ(stream.cursor().position, 2u);  // before the bad row
    }
  }
}

TEST_F(MultiModal, HoldsNoMoreBytesThanTheBoundAndALargerRowPassesAlone) {
  Files files;
  std::vector<std::string> lines;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "p" + std::to_string(i) + ".png";
    files[name] = tests::png_of(i == 20 ? 100 : 30, {1, 2, 3});
    lines.push_back(R"({"image_path":")" + name + R"("})");
  }
  const Dataset rows = plain(files, lines);
  const MultiModalDataset data(rows, kOptions);
  const uint64_t small = data.row(0).open()->bytes_max, large = data.row(20).open()->bytes_max;
  EXPECT_GT(small, 30u * 30 * 3);
  EXPECT_GT(large, 100u * 100 * 3);
  const uint64_t bound = 3 * small;
  ASSERT_LT(bound, large);
  MultiModalStream without(data, {0, 1, 2, 3}, Sampler(4, 0, false),
                           {.threads = 3, .bytes_max = bound, .items_max = 30});
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(without.next().ok());
  EXPECT_LE(without.facts().bytes_held_max, bound);
  EXPECT_GE(without.facts().bytes_held_max, small);
  for (int64_t threads = 1; threads <= 4; ++threads) {
    MultiModalStream stream(data, all(rows), Sampler(40, 0, false),
                            {.threads = threads, .bytes_max = bound, .items_max = 30});
    for (uint64_t i = 0; i < 40; ++i) {
      const auto row = stream.next();
      ASSERT_TRUE(row.ok()) << row.error().text();
      ASSERT_EQ(row->index, i);
    }
    EXPECT_EQ(stream.facts().bytes_held_max, large);  // alone
  }
}

TEST_F(MultiModal, MayBeLeftInTheMiddle) {
  const Dataset rows = plain(media_files());
  const MultiModalDataset data(rows, kOptions);
  for (int round = 0; round < 30; ++round) {
    MultiModalStream stream(data, all(rows), Sampler(12, 1, true),
                            {.threads = 1 + round % 4, .bytes_max = 1, .items_max = 7});
    for (int i = 0; i < round % 3; ++i) ASSERT_TRUE(stream.next().ok());
  }
}

// Sealed media are read by position: no plain byte of them lies in a file, named or not.
TEST_F(MultiModal, SealedMediaNeverBecomePlainFiles) {
  const Files files = media_files();
  const Dataset rows = sealed(files);
  const MultiModalDataset data(rows, kOptions);
  EXPECT_EQ(data.row(0).id()->substr(0, 4), "row:");
  const auto temporary = std::filesystem::temp_directory_path();
  const auto names_in = [](const std::filesystem::path& folder) {
    std::set<std::string> names;
    std::error_code gone;  // files of others come and go
    for (const auto& entry : std::filesystem::directory_iterator(folder, gone)) {
      names.insert(entry.path().filename().string());
    }
    return names;
  };
  const auto before = names_in(temporary);
  MultiModalStream stream(data, all(rows), Sampler(12, 1, true), {.threads = 3, .bytes_max = 5000});
  size_t descriptors = 0;
  const auto is_plain = [&](const std::filesystem::path& path) {
    std::error_code gone;
    if (!std::filesystem::is_regular_file(path, gone)) return false;
    if (std::filesystem::file_size(path, gone) > (UINT64_C(1) << 24)) return false;
    const std::string bytes = read_whole(path);
    for (const auto& [name, medium] : files) {
      const std::string piece = medium.substr(0, 64);  // heads: no run of one byte
      if (piece.size() == 64 && bytes.find(piece) != std::string::npos) return true;
    }
    return false;
  };
  for (int i = 0; i < 36; ++i) {
    ASSERT_TRUE(stream.next().ok());
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", gone)) {
      const auto target = std::filesystem::read_symlink(entry.path(), gone);
      if (gone || !target.string().starts_with("/")) continue;
      EXPECT_EQ(target.string().find("memfd:"), std::string::npos) << target;
      EXPECT_EQ(target.string().find("(deleted)"), std::string::npos) << target;
      if (!target.string().starts_with(folder_.path())) continue;
      ++descriptors;
      EXPECT_FALSE(is_plain(target)) << target;
    }
  }
  EXPECT_GT(descriptors, 0u);  // the segments were seen
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    EXPECT_FALSE(is_plain(entry.path())) << entry.path();
  }
  for (const std::string& name : names_in(temporary)) {
    if (before.contains(name)) continue;
    EXPECT_FALSE(is_plain(temporary / name)) << name;
  }
}

}  // namespace
}  // namespace mortise::engine
