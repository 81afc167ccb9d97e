// Sound and film files that tests make for themselves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mortise::tests {

// A RIFF WAVE file of 16-bit samples, [frames, channels], written byte by byte.
std::string wav_file(const std::vector<int16_t>& samples, int rate, int channels);

// The samples, [frames, channels], in a format of libsndfile's (SF_FORMAT_FLAC | ...); "" where
// this libsndfile cannot write it.
std::string sound_file(int format, const std::vector<float>& samples, int rate, int channels);

// A film of grey frames, each of one value. muxer and encoder as FFmpeg names them ("mp4",
// "mpeg4").
std::string film_file(const char* muxer, const char* encoder, const std::vector<int>& greys,
                      int width, int height, int fps);

// An archive of these files, {name, bytes}, as ustar.
std::string tar_file(const std::vector<std::pair<std::string, std::string>>& files);

// The smallest good file of the kind that this name's ending says: a tone's 3 samples, a film of 2
// grey frames, a picture of 2 x 2; the text "x" for any other.
std::string media_named(const std::string& name);

}  // namespace mortise::tests
