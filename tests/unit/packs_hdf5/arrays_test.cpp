// HDF5 files of other programs, made here by libhdf5: arrays as columns, and what is refused.
#include <hdf5.h>
#include <mortise/cpp/png_write.hpp>

#include <functional>

#include "tests/unit/packs_media/media_format_under_test.h"

namespace mortise {
namespace {

using Rows = std::vector<std::string>;

// The bytes of a file that `fill` made in memory.
std::string made(const std::function<void(hid_t)>& fill) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(access, 1 << 16, 0);
  const hid_t file = H5Fcreate("test.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  fill(file);
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  std::string image(static_cast<size_t>(H5Fget_file_image(file, nullptr, 0)), '\0');
  H5Fget_file_image(file, image.data(), image.size());
  H5Fclose(file);
  H5Pclose(access);
  return image;
}

void put(hid_t file, const char* name, std::vector<hsize_t> shape, hid_t type, const void* data,
         hid_t properties = H5P_DEFAULT) {
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  if (data != nullptr) H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
  H5Dclose(dataset);
  H5Sclose(space);
}

class Hdf5Arrays : public testing::Test {
 protected:
  sdk::Failure failure(const std::string& bytes, const std::string& config = "{}") {
    pack_.files()["a.h5"] = bytes;
    return pack_.read({"a.h5"}, config).failure;
  }
  packs_test::MediaFormatUnderTest pack_{"format_hdf5"};
  const uint8_t pixels_[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const int64_t labels_[2] = {5, -1};
};

TEST_F(Hdf5Arrays, PicturesNumbersListsAndTextsAreColumns) {
  const double boxes[4] = {0.5, 1, 2, 3};
  const char words[8] = {'c', 'a', 't', 0, 'd', 'o', 'g', 0};
  pack_.files()["x.h5"] = made([&](hid_t file) {
    put(file, "x", {2, 1, 2, 3}, H5T_NATIVE_UINT8, pixels_);
    put(file, "box", {2, 2}, H5T_NATIVE_DOUBLE, boxes);
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 4);
    put(file, "word", {2}, type, words);
    H5Tclose(type);
  });
  pack_.files()["y.h5"] = made([&](hid_t file) {
    put(file, "y", {2, 1, 1, 1}, H5T_NATIVE_INT64, labels_);
  });
  const auto picture = [&](size_t row) {
    return sdk::encode_png({reinterpret_cast<const char*>(pixels_) + 6 * row, 6}, 2, 1, 3);
  };

  EXPECT_EQ(pack_.rows_of({"x.h5", "y.h5"}, R"({"join":true})"),
            (Rows{"{\"box\":[0.5,1],\"word\":\"cat\",\"y\":5} x=" + picture(0),
                  "{\"box\":[2,3],\"word\":\"dog\",\"y\":-1} x=" + picture(1)}));
  pack_.expect_exact_cursors();
}

TEST_F(Hdf5Arrays, ReadsDeflatedChunksAndRefusesLargeOnes) {
  const hid_t chunked = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk = 2;
  H5Pset_chunk(chunked, 1, &chunk);
  H5Pset_shuffle(chunked);
  H5Pset_deflate(chunked, 6);
  const std::string file =
      made([&](hid_t h) { put(h, "y", {2}, H5T_NATIVE_INT64, labels_, chunked); });
  H5Pclose(chunked);
  pack_.files()["a.h5"] = file;
  EXPECT_EQ(pack_.rows_of({"a.h5"}), (Rows{"{\"y\":5}", "{\"y\":-1}"}));
  EXPECT_EQ(failure(file, R"({"chunk_bytes_max":8})").code, MORTISE_STATUS_RESOURCE_EXHAUSTED);
}

TEST_F(Hdf5Arrays, RefusesLinksExternalStorageVirtualDataAndUnknownFilters) {
  const auto code = [&](const std::function<void(hid_t)>& fill) {
    return failure(made(fill)).code;
  };
  EXPECT_EQ(code([](hid_t h) {
              H5Lcreate_external("/etc/passwd", "/x", h, "x", H5P_DEFAULT, H5P_DEFAULT);
            }),
            MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_EQ(code([](hid_t h) { H5Lcreate_soft("/y", h, "x", H5P_DEFAULT, H5P_DEFAULT); }),
            MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_EQ(code([](hid_t h) {
              const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
              H5Pset_external(properties, "/etc/passwd", 0, 16);
              put(h, "x", {2}, H5T_NATIVE_INT64, nullptr, properties);
              H5Pclose(properties);
            }),
            MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_EQ(code([](hid_t h) {
              const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
              const hsize_t count = 2;
              const hid_t space = H5Screate_simple(1, &count, nullptr);
              H5Pset_virtual(properties, space, "other.h5", "/x", space);
              put(h, "x", {2}, H5T_NATIVE_INT64, nullptr, properties);
              H5Sclose(space);
              H5Pclose(properties);
            }),
            MORTISE_STATUS_UNIMPLEMENTED);
  EXPECT_EQ(code([&](hid_t h) {
              const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
              const hsize_t chunk = 2;
              H5Pset_chunk(properties, 1, &chunk);
              H5Pset_nbit(properties);
              put(h, "x", {2}, H5T_NATIVE_INT64, labels_, properties);
              H5Pclose(properties);
            }),
            MORTISE_STATUS_UNIMPLEMENTED);
}

TEST_F(Hdf5Arrays, RefusesUnequalRowsAndShapesThatAreNoColumns) {
  const sdk::Failure unequal = failure(made([&](hid_t h) {
    put(h, "a", {2}, H5T_NATIVE_INT64, labels_);
    put(h, "b", {1}, H5T_NATIVE_INT64, labels_);
  }));
  EXPECT_EQ(unequal.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(unequal.file, "a.h5");
  EXPECT_EQ(failure(made([](hid_t) {})).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure(made([](hid_t h) {
              put(h, "x", {1, 1, 100000}, H5T_NATIVE_INT64, nullptr);
            })).code,
            MORTISE_STATUS_UNIMPLEMENTED);
}

}  // namespace
}  // namespace mortise
