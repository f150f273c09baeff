// Tars by hand, so that a test can say what no well-meaning writer would: `..`, devices, links that lead out.
#pragma once

#include <cstdio>
#include <cstring>
#include <string>

namespace trainmake {

struct TarBytes {
  std::string bytes;

  // type: 0 file, 1 hard link, 2 link, 3 character device, 4 block device, 5 folder, 6 FIFO, x PAX
  TarBytes& add(char type, const std::string& name, const std::string& content = "", unsigned mode = 0644,
                unsigned uid = 0) {
    const bool is_link = type == '1' || type == '2';
    char header[512] = {};
    std::strncpy(header, name.c_str(), 100);
    std::snprintf(header + 100, 8, "%07o", mode);
    std::snprintf(header + 108, 8, "%07o", uid);
    std::snprintf(header + 116, 8, "%07o", uid);
    std::snprintf(header + 124, 12, "%011o", is_link ? 0U : static_cast<unsigned>(content.size()));
    std::snprintf(header + 136, 12, "%011o", 1000U);
    header[156] = type;
    if (is_link) std::strncpy(header + 157, content.c_str(), 100);
    std::memcpy(header + 257, "ustar\00000", 8);
    std::snprintf(header + 329, 8, "%07o", 0U);
    std::snprintf(header + 337, 8, "%07o", 0U);
    std::memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (const char byte : header) sum += static_cast<unsigned char>(byte);
    std::snprintf(header + 148, 8, "%06o", sum);
    bytes.append(header, sizeof header);
    if (is_link) return *this;
    bytes += content;
    bytes.append((512 - content.size() % 512) % 512, '\0');
    return *this;
  }

  // Of the next entry.
  TarBytes& pax(const std::string& key, const std::string& value) {
    const std::string body = " " + key + "=" + value + "\n";
    std::size_t length = body.size();
    while (std::to_string(length).size() + body.size() != length) ++length;
    return add('x', "pax", std::to_string(length) + body);
  }

  std::string end() const { return bytes + std::string(1024, '\0'); }
};

}  // namespace trainmake
