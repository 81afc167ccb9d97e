// See bare.h.
#include "tests/bench/read/bare.h"

#include <sndfile.h>
#include <turbojpeg.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include <array>
#include <cstdio>
#include <cstdlib>

#include "tests/support/media_files.h"

namespace mortise::bench {
namespace {

void need(bool is_good, const char* what) {
  if (is_good) return;
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

}  // namespace

std::string jpeg_of(const std::vector<uint8_t>& pixels, int width, int height) {
  void* turbo = tjInitCompress();
  unsigned char* out = nullptr;
  unsigned long size = 0;
  need(tjCompress2(turbo, pixels.data(), width, 0, height, TJPF_RGB, &out, &size, TJSAMP_420, 90,
                   0) == 0,
       "no JPEG is made");
  std::string jpeg(reinterpret_cast<const char*>(out), size);
  tjFree(out);
  tjDestroy(turbo);
  return jpeg;
}

BareJpeg::BareJpeg() : turbo_(tjInitDecompress()) {}
BareJpeg::~BareJpeg() {
  tjDestroy(turbo_);
}

void BareJpeg::decode(const std::string& jpeg) {
  const auto* data = reinterpret_cast<const unsigned char*>(jpeg.data());
  int width = 0, height = 0, subsampling = 0, colours = 0;
  tjDecompressHeader3(turbo_, data, jpeg.size(), &width, &height, &subsampling, &colours);
  pixels_.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  need(tjDecompress2(turbo_, data, jpeg.size(), pixels_.data(), width, 0, height, TJPF_RGB,
                     TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING) == 0,
       "a JPEG does not decode");
}

int64_t bare_sound_frames(const std::string& path) {
  SF_INFO info{};
  SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
  need(file != nullptr && info.channels == 1, "a sound does not open");
  std::array<float, 4096> block{};
  int64_t frames = 0;
  while (const sf_count_t got = sf_readf_float(file, block.data(), block.size())) frames += got;
  sf_close(file);
  return frames;
}

int64_t bare_film_frames(const std::string& path) {
  AVFormatContext* format = nullptr;
  need(avformat_open_input(&format, path.c_str(), nullptr, nullptr) >= 0 &&
           avformat_find_stream_info(format, nullptr) >= 0,
       "a film does not open");
  const AVCodecParameters* parameters = format->streams[0]->codecpar;
  AVCodecContext* codec = avcodec_alloc_context3(nullptr);
  avcodec_parameters_to_context(codec, parameters);
  codec->thread_count = 1;
  need(avcodec_open2(codec, avcodec_find_decoder(parameters->codec_id), nullptr) >= 0,
       "no decoder");
  AVPacket* packet = av_packet_alloc();
  AVFrame* frame = av_frame_alloc();
  int64_t frames = 0;
  for (bool is_there = true; is_there;) {
    av_packet_unref(packet);
    is_there = av_read_frame(format, packet) >= 0;
    need(avcodec_send_packet(codec, is_there ? packet : nullptr) >= 0, "a packet is refused");
    while (avcodec_receive_frame(codec, frame) >= 0) ++frames;
  }
  av_frame_free(&frame);
  av_packet_free(&packet);
  avcodec_free_context(&codec);
  avformat_close_input(&format);
  return frames;
}

std::string library_versions() {
  const unsigned codec = avcodec_version();
  return "libavcodec " + std::to_string(codec >> 16) + "." + std::to_string(codec >> 8 & 255) +
         ", " + sf_version_string();
}

std::string flac_of(const std::vector<float>& samples, int rate) {
  return tests::sound_file(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, samples, rate, 1);
}

}  // namespace mortise::bench
