// See video.h. A file is hostile until it has been decoded: demuxers and decoders are named ones,
// reads in all are bounded (ByteCursor), frames are counted before the first is decoded.
#include "ingest/video.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

namespace mortise::ingest {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr const char* kDemuxers = "mov,matroska,avi,mpegts,mpeg";
constexpr const char* kDecoders =
    "h264,hevc,vp8,vp9,libdav1d,av1,libvpx,libvpx-vp9,mpeg1video,mpeg2video,mpeg4,msmpeg4,"
    "msmpeg4v2,msmpeg4v1,h263,mjpeg,png,rawvideo,prores,theora,wmv1,wmv2";
constexpr int kBufferBytes = 64 << 10;

int on_read(void* user, uint8_t* out, int size) {
  const int64_t got = static_cast<ByteCursor*>(user)->read(out, static_cast<uint64_t>(size));
  return got < 0 ? AVERROR(EIO) : got == 0 ? AVERROR_EOF : static_cast<int>(got);
}
int64_t on_seek(void* user, int64_t offset, int origin) {
  auto* cursor = static_cast<ByteCursor*>(user);
  if ((origin & AVSEEK_SIZE) != 0) return static_cast<int64_t>(cursor->source->size_bytes());
  const int64_t at = cursor->seek(offset, origin & ~AVSEEK_FORCE);
  return at < 0 ? AVERROR(EINVAL) : at;
}
// Whatever a demuxer wants beside the given bytes, it does not get.
int refuse_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

struct Free {
  void operator()(AVFormatContext* format) const { avformat_close_input(&format); }
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
  void operator()(AVIOContext* io) const {
    av_freep(&io->buffer);
    avio_context_free(&io);
  }
};
template <class T>
using Own = std::unique_ptr<T, Free>;

std::string words_of(int code) {
  char words[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, words, sizeof(words));
  return words;
}

Error damaged(const std::string& reason) {
  return Error(Code::kDataLoss, "The film is damaged: " + reason + ".",
               "Make or copy the file again.");
}

Error over(const std::string& has, int64_t limit) {
  return Error(Code::kResourceExhausted,
               "The film has " + has + "; at most " + std::to_string(limit) + " are read.",
               "Make it shorter or smaller before the upload.");
}

Error no_memory() {
  return Error(Code::kResourceExhausted, "No memory to read a film.");
}

Status check_pixels(int64_t width, int64_t height, const VideoLimits& limits) {
  if (width > 0 && height > 0 && width <= limits.pixels_max / height) return {};
  return over(std::to_string(width) + " x " + std::to_string(height) + " pixels",
              limits.pixels_max);
}

// Does the file begin as a film of video.h does? FFmpeg alone would guess, from any bytes.
bool is_film(ByteSource& source) {
  uint8_t head[12] = {};
  const auto got = source.read_at(0, std::as_writable_bytes(std::span(head)));
  if (!got.ok() || *got < sizeof(head)) return false;
  const std::string_view text(reinterpret_cast<const char*>(head), sizeof(head));
  const std::string_view box = text.substr(4, 4);
  constexpr std::string_view kBoxes[] = {"ftyp", "moov", "mdat", "wide", "free", "skip", "pnot"};
  return std::find(std::begin(kBoxes), std::end(kBoxes), box) != std::end(kBoxes) ||
         text.starts_with("\x1A\x45\xDF\xA3") ||                       // Matroska
         (text.starts_with("RIFF") && text.substr(8) == "AVI ") ||     // AVI
         head[0] == 0x47 ||                                            // transport stream
         text.starts_with(std::string_view("\x00\x00\x01\xBA", 4)) ||  // program stream
         text.starts_with(std::string_view("\x00\x00\x01\xB3", 4));    // MPEG video
}

// Do the boxes of an MP4 or MOV end where the file does? A cut one may still have all its tables.
Status check_boxes(ByteSource& source) {
  uint8_t head[16] = {};
  const uint64_t size = source.size_bytes();
  for (uint64_t at = 0; at < size;) {
    MORTISE_ASSIGN(const size_t got, source.read_at(at, std::as_writable_bytes(std::span(head))));
    const auto number = [&](int from, int count) {
      uint64_t value = 0;
      for (int i = from; i < from + count; ++i) value = value << 8 | head[i];
      return value;
    };
    uint64_t box = number(0, 4);
    if (box == 0) return {};  // to the end
    const bool is_long = box == 1;
    if (is_long) box = number(8, 8);
    if (got < (is_long ? 16u : 8u) || box < (is_long ? 16u : 8u) || box > size - at) {
      return damaged("a part of it at byte " + std::to_string(at) + " is cut off");
    }
    at += box;
  }
  return {};
}

// A file opened once: what is walked over, from its first packet.
struct Demuxer {
  ByteCursor cursor;
  Own<AVIOContext> io;
  Own<AVFormatContext> format;  // goes before io
  AVStream* stream = nullptr;

  Status open(ByteSource& source);
  // The next packet of the film's stream; false at the end. Errors: DATA_LOSS.
  Result<bool> next(AVPacket* packet);
  // What happened, with the host's own words where reading failed.
  Error failed(int code) const {
    if (!cursor.failure.ok()) return cursor.failure.error();
    return damaged(words_of(code));
  }
};

Status Demuxer::open(ByteSource& source) {
  static const bool is_quiet = (av_log_set_level(AV_LOG_QUIET), true);
  static_cast<void>(is_quiet);
  if (!is_film(source)) {
    return Error(Code::kInvalidArgument, "This is no film that is read here.",
                 "Convert it to MP4 (H.264), WebM or AVI.");
  }
  cursor = {&source, 0, read_budget(source), {}};
  auto* buffer = static_cast<uint8_t*>(av_malloc(kBufferBytes));
  if (buffer == nullptr) return no_memory();
  io.reset(avio_alloc_context(buffer, kBufferBytes, 0, &cursor, on_read, nullptr, on_seek));
  AVFormatContext* made = avformat_alloc_context();
  if (made == nullptr || io == nullptr) return no_memory();
  made->pb = io.get();
  made->flags |= AVFMT_FLAG_CUSTOM_IO;
  made->io_open = refuse_open;
  made->max_streams = 64;
  made->probesize = 8 << 20;
  made->protocol_whitelist = av_strdup("");
  made->format_whitelist = av_strdup(kDemuxers);
  made->codec_whitelist = av_strdup(kDecoders);
  // On failure the context is freed there.
  if (const int code = avformat_open_input(&made, "", nullptr, nullptr); code < 0) {
    return failed(code);
  }
  format.reset(made);
  if (const int code = avformat_find_stream_info(made, nullptr); code < 0) return failed(code);
  for (unsigned i = 0; i < made->nb_streams; ++i) {
    AVStream* one = made->streams[i];
    const bool is_cover = (one->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    const bool is_ours =
        stream == nullptr && one->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !is_cover;
    if (is_ours) stream = one;
    one->discard = is_ours ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
  if (stream != nullptr && std::string_view(made->iformat->name).starts_with("mov")) {
    return check_boxes(source);
  }
  if (stream != nullptr) return {};
  return Error(Code::kInvalidArgument, "The file has no film in it.",
               "Upload sound as WAV, FLAC, MP3 or Ogg.");
}

Result<bool> Demuxer::next(AVPacket* packet) {
  for (;;) {
    av_packet_unref(packet);
    const int code = av_read_frame(format.get(), packet);
    if (!cursor.failure.ok()) return cursor.failure.error();
    if (code == AVERROR_EOF) {
      if (io->error < 0) return failed(io->error);
      return false;
    }
    if (code < 0) return failed(code);
    if (packet->stream_index != stream->index) continue;
    if ((packet->flags & AV_PKT_FLAG_CORRUPT) != 0) return damaged("a frame is cut off");
    return true;
  }
}

Result<Own<AVCodecContext>> open_decoder(const AVCodecParameters& parameters,
                                         const VideoLimits& limits) {
  const AVCodec* decoder = avcodec_find_decoder(parameters.codec_id);
  Own<AVCodecContext> codec(decoder == nullptr ? nullptr : avcodec_alloc_context3(decoder));
  if (codec != nullptr) {
    avcodec_parameters_to_context(codec.get(), &parameters);
    codec->thread_count = 1;
    codec->max_pixels = limits.pixels_max;
    codec->codec_whitelist = av_strdup(kDecoders);
    if (avcodec_open2(codec.get(), decoder, nullptr) >= 0) return codec;
  }
  return Error(
      Code::kUnimplemented,
      std::string("Film of the codec ") + avcodec_get_name(parameters.codec_id) + " is not read.",
      "Convert it to H.264.");
}

// RGB of a picture in any layout of FFmpeg's, at the size that fits the budget.
Result<Image> to_rgb(const uint8_t* const* data, const int* strides, int width, int height,
                     AVPixelFormat layout, int64_t pixels_max) {
  const double shrink = std::sqrt(static_cast<double>(pixels_max) / width / height);
  Image image{width, height, {}};
  if (shrink < 1) {
    image.width = std::max(1, static_cast<int>(width * shrink));
    image.height = std::max(1, static_cast<int>(height * shrink));
    image.width = std::min(image.width, pixels_max / image.height);
  }
  const int out_width = static_cast<int>(image.width), out_height = static_cast<int>(image.height);
  Own<SwsContext> scaler(
      sws_getContext(width, height, layout, out_width, out_height, AV_PIX_FMT_RGB24,
                     SWS_AREA | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP, nullptr,
                     nullptr, nullptr));
  if (scaler == nullptr) return damaged("a frame's layout of pixels is not known");
  // Why not the vector's memory: the scaler writes past rows that are not a multiple of its step.
  uint8_t* out[4] = {};
  int out_strides[4] = {};
  if (av_image_alloc(out, out_strides, out_width, out_height, AV_PIX_FMT_RGB24, 64) < 0) {
    return no_memory();
  }
  const std::unique_ptr<uint8_t, void (*)(void*)> owned(out[0], av_free);
  sws_scale(scaler.get(), data, strides, 0, height, out, out_strides);
  const auto row_bytes = static_cast<size_t>(out_width) * 3;
  image.pixels.reserve(row_bytes * static_cast<size_t>(out_height));
  for (int y = 0; y < out_height; ++y) {
    const uint8_t* row = out[0] + static_cast<ptrdiff_t>(y) * out_strides[0];
    image.pixels.insert(image.pixels.end(), row, row + row_bytes);
  }
  return image;
}

// Takes the frames of `wanted` as they come out of the decoder.
class Sampler {
 public:
  Sampler(const std::vector<int64_t>& wanted, const VideoLimits& limits, int64_t pixels_max,
          AVRational time_base)
      : wanted_(wanted), limits_(limits), pixels_max_(pixels_max), time_base_(time_base) {}

  bool is_done() const { return frames_.size() == wanted_.size(); }
  Status drain(AVCodecContext* codec, AVFrame* frame);
  std::vector<VideoFrame>& frames() { return frames_; }
  int64_t seen() const { return index_; }

 private:
  const std::vector<int64_t>& wanted_;
  const VideoLimits& limits_;
  int64_t pixels_max_;
  AVRational time_base_;
  int64_t index_ = 0;
  std::vector<VideoFrame> frames_;
};

Status Sampler::drain(AVCodecContext* codec, AVFrame* frame) {
  while (!is_done()) {
    const int code = avcodec_receive_frame(codec, frame);
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return {};
    if (code < 0) return damaged("frame " + std::to_string(index_) + ": " + words_of(code));
    MORTISE_TRY(check_pixels(frame->width, frame->height, limits_));
    if ((frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0) {
      return damaged("frame " + std::to_string(index_) + " does not decode");
    }
    if (index_++ != wanted_[frames_.size()]) continue;
    MORTISE_ASSIGN(Image image, to_rgb(frame->data, frame->linesize, frame->width, frame->height,
                                       static_cast<AVPixelFormat>(frame->format), pixels_max_));
    const int64_t when = frame->best_effort_timestamp;
    frames_.push_back(
        {std::move(image), index_ - 1,
         when == AV_NOPTS_VALUE ? 0 : static_cast<double>(when) * av_q2d(time_base_)});
  }
  return {};
}

}  // namespace

int64_t frames_wanted(const FrameBudget& budget, int64_t total, double film_fps) {
  int64_t wanted = budget.frames_max;
  if (budget.fps > 0 && film_fps > 0) {
    const double seconds = static_cast<double>(total) / film_fps;
    const double all = std::min(seconds * budget.fps, static_cast<double>(budget.frames_max));
    wanted = std::clamp(static_cast<int64_t>(all), std::min(budget.frames_min, budget.frames_max),
                        budget.frames_max);
  }
  return std::min(total, wanted);
}

std::vector<int64_t> even_indices(int64_t total, int64_t wanted) {
  std::vector<int64_t> indices;
  const int64_t count = std::min(total, wanted);
  for (int64_t k = 0; k < count; ++k) {
    // round(k * (total - 1) / (count - 1)) in whole numbers
    indices.push_back(count == 1 ? 0 : (2 * k * (total - 1) + count - 1) / (2 * (count - 1)));
  }
  return indices;
}

Result<Image> fit_pixels(Image image, int64_t pixels_max) {
  if (image.width * image.height <= pixels_max) return image;
  image.pixels.resize(image.pixels.size() + 64, 0);  // the scaler reads on past the last pixel
  const uint8_t* data[4] = {image.pixels.data(), nullptr, nullptr, nullptr};
  const int strides[4] = {static_cast<int>(image.width * 3), 0, 0, 0};
  return to_rgb(data, strides, static_cast<int>(image.width), static_cast<int>(image.height),
                AV_PIX_FMT_RGB24, pixels_max);
}

Result<Video> Video::open(std::unique_ptr<ByteSource> source, const VideoLimits& limits) {
  Video video(std::move(source), limits);
  MORTISE_TRY(video.count());
  return video;
}

Status Video::count() {
  Demuxer demuxer;
  MORTISE_TRY(demuxer.open(*source_));
  const AVStream& stream = *demuxer.stream;
  facts_.width = stream.codecpar->width;
  facts_.height = stream.codecpar->height;
  MORTISE_TRY(check_pixels(facts_.width, facts_.height, limits_));
  Own<AVPacket> packet(av_packet_alloc());
  for (;;) {
    MORTISE_ASSIGN(const bool is_there, demuxer.next(packet.get()));
    if (!is_there) break;
    if ((packet->flags & AV_PKT_FLAG_DISCARD) != 0 || packet->size == 0) continue;
    if (++facts_.frames > limits_.frames_max) {
      return over("more than " + std::to_string(limits_.frames_max) + " frames",
                  limits_.frames_max);
    }
  }
  if (facts_.frames == 0) {
    return Error(Code::kInvalidArgument, "The film has no frames.", "Upload it again.");
  }
  const double rate =
      av_q2d(stream.avg_frame_rate.den != 0 ? stream.avg_frame_rate : AVRational{0, 1});
  facts_.fps = std::isfinite(rate) ? rate : 0;
  if (stream.duration > 0) {
    facts_.seconds = static_cast<double>(stream.duration) * av_q2d(stream.time_base);
  } else if (demuxer.format->duration > 0) {
    facts_.seconds = static_cast<double>(demuxer.format->duration) / AV_TIME_BASE;
  }
  if (!std::isfinite(facts_.seconds)) facts_.seconds = 0;
  if (facts_.seconds > limits_.seconds_max) {
    return over(std::to_string(std::llround(facts_.seconds)) + " seconds",
                std::llround(limits_.seconds_max));
  }
  return {};
}

Result<std::vector<VideoFrame>> Video::sample(const FrameBudget& budget) {
  const int64_t counted = facts_.frames;
  MORTISE_ASSIGN(auto frames, decode(budget));
  // Some packets show nothing (an edit list, a frame that only others refer to): with the true
  // count the choice is made again.
  if (facts_.frames == counted) return frames;
  return decode(budget);
}

Result<std::vector<VideoFrame>> Video::decode(const FrameBudget& budget) {
  if (budget.frames_max < 1 || budget.frame_pixels_max < 1) {
    return Error(Code::kInvalidArgument, "A film is sampled with a budget below one.",
                 "Ask for at least one frame of one pixel.");
  }
  Demuxer demuxer;
  MORTISE_TRY(demuxer.open(*source_));
  MORTISE_ASSIGN(const auto codec, open_decoder(*demuxer.stream->codecpar, limits_));
  const std::vector<int64_t> wanted =
      even_indices(facts_.frames, frames_wanted(budget, facts_.frames, facts_.fps));
  Sampler sampler(wanted, limits_, budget.frame_pixels_max, demuxer.stream->time_base);
  Own<AVPacket> packet(av_packet_alloc());
  Own<AVFrame> frame(av_frame_alloc());
  for (bool is_there = true; is_there && !sampler.is_done();) {
    MORTISE_ASSIGN(is_there, demuxer.next(packet.get()));
    const int code = avcodec_send_packet(codec.get(), is_there ? packet.get() : nullptr);
    if (code < 0 && code != AVERROR(EAGAIN)) {
      return damaged("frame " + std::to_string(sampler.seen()) + ": " + words_of(code));
    }
    MORTISE_TRY(sampler.drain(codec.get(), frame.get()));
  }
  if (sampler.seen() == 0) return damaged("none of its frames decodes");
  if (!sampler.is_done()) facts_.frames = sampler.seen();
  return std::move(sampler.frames());
}

}  // namespace mortise::ingest
