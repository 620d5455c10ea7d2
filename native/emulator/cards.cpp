#include "cards.h"

#include "driver.h"

#include <iterator>

namespace emulator {

const Card& card() {
    constexpr size_t kilo = 1 << 10, mega = 1 << 20;
    static const Card cards[] = {
        {50, 80, 2048, 96 * kilo, 96 * kilo, 6 * mega, 1'500'000, 877'000, 4096},       // as a V100
        {75, 40, 1024, 64 * kilo, 64 * kilo, 4 * mega, 1'590'000, 5'001'000, 256},      // T4
        {80, 108, 2048, 164 * kilo, 163 * kilo, 40 * mega, 1'410'000, 1'215'000, 5120}, // A100
        {86, 84, 1536, 100 * kilo, 99 * kilo, 6 * mega, 1'740'000, 7'251'000, 384},     // A40
        {89, 142, 1536, 100 * kilo, 99 * kilo, 96 * mega, 2'490'000, 9'001'000, 384},   // L40
        {90, 132, 2048, 228 * kilo, 227 * kilo, 50 * mega, 1'980'000, 2'619'000, 5120}, // H100
    };
    const Card* found = std::begin(cards);
    for (const Card& card : cards)
        if (card.capability <= driver().settings.capability) found = &card;
    return *found;
}

} // namespace emulator
