// See media_files.h. What cannot be made is a fault of the test: it throws.
#include "tests/support/media_files.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}
#include <sndfile.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "tests/support/png.h"

namespace mortise::tests {
namespace {

std::string little(uint32_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

struct Memory {
  std::string bytes;
  size_t at = 0;

  void write(const void* data, size_t size) {
    bytes.resize(std::max(bytes.size(), at + size));
    std::memcpy(bytes.data() + at, data, size);
    at += size;
  }
  int64_t seek(int64_t offset, int origin) {
    const size_t from = origin == SEEK_SET ? 0 : origin == SEEK_CUR ? at : bytes.size();
    at = from + static_cast<size_t>(offset);
    return static_cast<int64_t>(at);
  }
};

// What FFmpeg's dynamic buffer is for, but AVI loses headers there.
AVIOContext* open_memory(Memory* memory) {
  return avio_alloc_context(
      static_cast<uint8_t*>(av_malloc(65536)), 65536, 1, memory, nullptr,
      [](void* user, uint8_t* data, int size) {
        static_cast<Memory*>(user)->write(data, static_cast<size_t>(size));
        return size;
      },
      [](void* user, int64_t offset, int origin) {
        auto& m = *static_cast<Memory*>(user);
        return (origin & AVSEEK_SIZE) != 0 ? static_cast<int64_t>(m.bytes.size())
                                           : m.seek(offset, origin);
      });
}

void need(bool is_true, const char* what) {
  if (!is_true) throw std::runtime_error(std::string("media_files: ") + what);
}

// Codes what the frame holds, or the end for none, into the file.
void encode(AVFormatContext* format, AVCodecContext* codec, const AVFrame* frame) {
  need(avcodec_send_frame(codec, frame) >= 0, "a frame is refused");
  AVPacket* packet = av_packet_alloc();
  while (avcodec_receive_packet(codec, packet) >= 0) {
    packet->stream_index = 0;
    packet->duration = 1;
    av_packet_rescale_ts(packet, codec->time_base, format->streams[0]->time_base);
    need(av_interleaved_write_frame(format, packet) >= 0, "a packet is refused");
  }
  av_packet_free(&packet);
}

}  // namespace

std::string wav_file(const std::vector<int16_t>& samples, int rate, int channels) {
  std::string data;
  for (const int16_t sample : samples) data += little(static_cast<uint16_t>(sample), 2);
  const auto size = static_cast<uint32_t>(data.size());
  const auto bytes = static_cast<uint32_t>(2 * channels);
  return "RIFF" + little(36 + size, 4) + "WAVEfmt " + little(16, 4) + little(1, 2) +
         little(static_cast<uint32_t>(channels), 2) + little(static_cast<uint32_t>(rate), 4) +
         little(static_cast<uint32_t>(rate) * bytes, 4) + little(bytes, 2) + little(16, 2) +
         "data" + little(size, 4) + data;
}

std::string sound_file(int format, const std::vector<float>& samples, int rate, int channels) {
  Memory memory;
  SF_VIRTUAL_IO calls{
      [](void* user) { return static_cast<sf_count_t>(static_cast<Memory*>(user)->bytes.size()); },
      [](sf_count_t offset, int origin, void* user) {
        return static_cast<sf_count_t>(static_cast<Memory*>(user)->seek(offset, origin));
      },
      [](void* out, sf_count_t count, void* user) {
        auto& m = *static_cast<Memory*>(user);
        const size_t got = m.bytes.copy(static_cast<char*>(out), static_cast<size_t>(count), m.at);
        m.at += got;
        return static_cast<sf_count_t>(got);
      },
      [](const void* data, sf_count_t count, void* user) {
        static_cast<Memory*>(user)->write(data, static_cast<size_t>(count));
        return count;
      },
      [](void* user) { return static_cast<sf_count_t>(static_cast<Memory*>(user)->at); }};
  SF_INFO info{};
  info.samplerate = rate;
  info.channels = channels;
  info.format = format;
  SNDFILE* file = sf_open_virtual(&calls, SFM_WRITE, &info, &memory);
  if (file == nullptr) return {};
  const auto frames = static_cast<sf_count_t>(samples.size()) / channels;
  need(sf_writef_float(file, samples.data(), frames) == frames, "samples are refused");
  sf_close(file);
  return memory.bytes;
}

std::string film_file(const char* muxer, const char* encoder, const std::vector<int>& greys,
                      int width, int height, int fps) {
  av_log_set_level(AV_LOG_QUIET);
  const AVCodec* coder = avcodec_find_encoder_by_name(encoder);
  AVFormatContext* format = nullptr;
  need(coder != nullptr && avformat_alloc_output_context2(&format, nullptr, muxer, nullptr) >= 0,
       "no such encoder or muxer");
  AVStream* stream = avformat_new_stream(format, coder);
  AVCodecContext* codec = avcodec_alloc_context3(coder);
  codec->width = width;
  codec->height = height;
  codec->time_base = {1, fps};
  codec->framerate = {fps, 1};
  codec->pix_fmt = coder->pix_fmts[0];
  codec->thread_count = 1;
  codec->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  codec->global_quality = FF_QP2LAMBDA * 2;
  codec->color_range = codec->pix_fmt == AV_PIX_FMT_YUVJ420P ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  if ((format->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
    codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  }
  need(avcodec_open2(codec, coder, nullptr) >= 0, "the encoder does not open");
  avcodec_parameters_from_context(stream->codecpar, codec);
  stream->time_base = codec->time_base;
  stream->avg_frame_rate = codec->framerate;
  Memory film;
  format->pb = open_memory(&film);
  need(avformat_write_header(format, nullptr) >= 0, "the muxer does not begin");
  AVFrame* frame = av_frame_alloc();
  frame->format = codec->pix_fmt;
  frame->width = width;
  frame->height = height;
  need(av_frame_get_buffer(frame, 0) >= 0, "no memory");
  for (size_t i = 0; i < greys.size(); ++i) {
    av_frame_make_writable(frame);
    for (int plane = 0; plane < 3; ++plane) {
      const int rows = plane == 0 ? height : (height + 1) / 2;
      std::memset(frame->data[plane], plane == 0 ? greys[i] : 128,
                  static_cast<size_t>(rows) * static_cast<size_t>(frame->linesize[plane]));
    }
    frame->pts = static_cast<int64_t>(i);
    frame->quality = codec->global_quality;
    encode(format, codec, frame);
  }
  encode(format, codec, nullptr);
  need(av_write_trailer(format) >= 0, "the muxer does not end");
  avio_flush(format->pb);
  av_freep(&format->pb->buffer);
  avio_context_free(&format->pb);
  av_frame_free(&frame);
  avcodec_free_context(&codec);
  avformat_free_context(format);
  return film.bytes;
}

std::string tar_file(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string archive;
  for (const auto& [name, bytes] : files) {
    std::string head(512, '\0');
    head.replace(0, name.size(), name);
    char number[13];
    std::snprintf(number, sizeof(number), "%011zo", bytes.size());
    head.replace(124, 11, number, 11);
    head[156] = '0';
    head.replace(148, 8, 8, ' ');
    unsigned sum = 0;
    for (const char c : head) sum += static_cast<unsigned char>(c);
    std::snprintf(number, sizeof(number), "%06o", sum);
    head.replace(148, 7, number, 7);
    archive += head + bytes;
    archive.resize((archive.size() + 511) / 512 * 512);
  }
  return archive + std::string(1024, '\0');
}

std::string media_named(const std::string& name) {
  const std::string ending = name.substr(name.rfind('.') + 1);
  const std::vector<float> tone(1600, 0.25F);
  if (ending == "png" || ending == "jpg") return png_of(140, {9, 9, 9});
  if (ending == "wav") return wav_file({1, 2, 3}, 16000, 1);
  if (ending == "flac") return sound_file(SF_FORMAT_FLAC | SF_FORMAT_PCM_16, tone, 16000, 1);
  if (ending == "ogg") return sound_file(SF_FORMAT_OGG | SF_FORMAT_VORBIS, tone, 16000, 1);
  if (ending == "opus") return sound_file(SF_FORMAT_OGG | SF_FORMAT_OPUS, tone, 16000, 1);
  if (ending == "mp3") return sound_file(SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, tone, 16000, 1);
  if (ending == "mp4") return film_file("mp4", "mpeg4", {40, 50}, 32, 32, 5);
  if (ending == "webm" || ending == "mkv") {
    return film_file("matroska", "mpeg4", {40, 50}, 32, 32, 5);
  }
  return "x";
}

}  // namespace mortise::tests
