// Ends in the way that it is asked for: `ferry ENDING`. No function is inlined but where an ending needs it.

#include <cassert>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

namespace ferry {

struct Car {
    int weight = 0;
    virtual void drive() { ++weight; }
    virtual ~Car() = default;
};

// What the compiler must not know.
static Car *volatile no_car = nullptr;
static int (*volatile no_function)(int) = nullptr;
static volatile int zero = 0;
static volatile long result;
static volatile std::size_t far_too_much = std::size_t(-1) / 4;

[[gnu::noinline]] int weigh(const Car *car) { return car->weight; }

[[gnu::noinline]] void load(Car *car) { car->weight = 7; }

[[gnu::noinline]] int call_pilot() { return no_function(1) + 1; }

[[gnu::noinline]] int count_decks(volatile int *above) {
    volatile int deck[256] = {*above};
    return count_decks(deck) + deck[0];
}

[[gnu::noinline]] void give_up() { std::abort(); }

[[gnu::noinline]] void check_ticket(int ticket) { assert(ticket > 0); }

[[gnu::noinline]] void refuse(int ticket) { throw std::runtime_error("no ticket " + std::to_string(ticket)); }

[[gnu::noinline]] void unmoor() noexcept { refuse(1); }

struct Rope {
    ~Rope() { refuse(2); }
};

[[gnu::noinline]] void cut_rope() {
    try {
        Rope rope;
        refuse(3);
    } catch (const std::exception &) {
    }
}

struct Engine {
    Engine() { start(); }
    [[gnu::noinline]] void start() { turn(); }
    virtual void turn() = 0;
    virtual ~Engine() = default;
};

struct Diesel : Engine {
    void turn() override {}
};

[[gnu::noinline]] void start_engine() {
    auto engine = std::make_unique<Diesel>();
    engine->start();
}

[[gnu::noinline]] void unload_twice() {
    char *volatile cargo = static_cast<char *>(std::malloc(100));
    std::free(cargo);
    std::free(cargo);
}

[[gnu::noinline]] void delete_twice() {
    Car *volatile car = new Car;
    delete car;
    no_car = car;
    // Not by its virtual destructor, which is gone with it.
    ::operator delete(car);
}

[[gnu::noinline]] void overload() {
    volatile char *cargo = static_cast<char *>(std::malloc(0x4f8));
    // The allocator keeps the size of what is left behind it.
    for (int place = 0x4f8; place < 0x500; ++place)
        cargo[place] = 0x7f;
    no_function = reinterpret_cast<int (*)(int)>(std::malloc(0x20000));
}

[[gnu::noinline]] void unload_deck() {
    static char deck[64];
    char *volatile cargo = deck + 8;
    std::free(cargo);
}

[[gnu::noinline]] void drive_sold_car() {
    Car *volatile car = new Car;
    delete car;
    car->drive();
}

[[gnu::noinline]] char *take_cargo() { return new char[far_too_much]; }

[[gnu::noinline]] std::size_t reserve_places() {
    std::vector<Car *> places;
    places.reserve(far_too_much);
    return places.size();
}

[[gnu::noinline]] int share(int cost) { return cost / zero; }

[[gnu::noinline]] void run_aground() { __builtin_trap(); }

[[gnu::noinline]] int read_log() {
    int file = memfd_create("log", 0);
    auto *log = static_cast<volatile char *>(mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0));
    // The file has not a byte.
    return log[100];
}

static std::mutex lock;

[[gnu::noinline]] void pass_lock() {
    std::lock_guard<std::mutex> gate(lock);
    std::lock_guard<std::mutex> same_gate(lock);
}

[[gnu::noinline]] void wait_in_vain() {
    std::condition_variable tide;
    std::unique_lock<std::mutex> held(lock);
    tide.wait(held, [] { return zero != 0; });
}

void on_terminate(int) { std::abort(); }

[[gnu::noinline]] void name_ship(const char *name) {
    char plate[16];
    // More than the plate has room for: the compiler does not see it.
    for (std::size_t place = 0; place <= std::strlen(name); ++place)
        static_cast<volatile char *>(plate)[place] = name[place];
}

[[gnu::noinline]] void paint_name(const char *name) {
    char plate[16];
    std::strcpy(plate, name);
    std::puts(plate);
}

[[gnu::noinline]] int lift_with_unloaded_crane() {
    void *library = dlopen("./libcrane.so", RTLD_NOW);
    no_function = reinterpret_cast<int (*)(int)>(dlsym(library, "crane_lift"));
    dlclose(library);
    return no_function(1) + 1;
}

[[gnu::noinline]] void say_goodbye() { load(no_car); }

struct Lamp {
    bool burns = false;
    ~Lamp() {
        if (burns)
            load(no_car);
    }
};

static Lamp lamp;

[[gnu::noinline]] int place_of(const std::vector<int> &places, std::size_t number) { return places.at(number); }

[[gnu::noinline]] int cabin(const std::vector<int> &cabins, std::size_t number) { return cabins[number]; }

[[gnu::noinline]] int price_of(const std::map<std::string, int> &prices) { return prices.at("lorry"); }

[[gnu::noinline]] int call_harbour(const std::function<int(int)> &answer) { return answer(1); }

[[gnu::noinline]] int captain(const std::optional<int> &id) { return id.value(); }

[[gnu::noinline]] int flag(const std::variant<int, std::string> &flag) { return std::get<int>(flag); }

[[gnu::noinline]] std::string port(const char *name) { return std::string(name); }

[[gnu::noinline]] std::size_t length_of(const char *name) { return std::strlen(name); }

[[gnu::noinline]] void copy_list(char *to, const char *from, std::size_t size) { std::memcpy(to, from, size); }

[[gnu::noinline]] void sell_all(std::vector<Car *> &cars) {
    std::function<void(Car *)> sell = [](Car *car) { load(car); };
    for (Car *car : cars)
        sell(car);
}

// The fault is in what was inlined.
[[gnu::always_inline]] inline int axles(const Car *car) { return car->weight / 2; }

[[gnu::noinline]] int toll(const Car *car) { return axles(car) * 3; }

[[gnu::noinline]] void run_free_thread() {
    std::thread crew([] { pause(); });
}

[[gnu::noinline]] void run_crew() {
    std::thread crew([] { refuse(4); });
    crew.join();
}

[[gnu::noinline]] void ask_crew() {
    auto answer = std::async(std::launch::deferred, [] { refuse(5); });
    answer.get();
}

// That of a thread: S where it sleeps.
[[gnu::noinline]] char state_of(pid_t thread) {
    std::ifstream stat("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string line;
    std::getline(stat, line);
    return line[line.rfind(')') + 2];
}

[[gnu::noinline]] void watch_main_thread() {
    std::thread([watched = pthread_self(), thread = getpid()] {
        while (state_of(thread) != 'S')
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        pthread_kill(watched, SIGABRT);
    }).detach();
    wait_in_vain();
}

[[gnu::noinline]] void say_hello() {
    std::puts("waits");
    std::fflush(stdout);
}

using Ending = std::function<void()>;

static const std::map<std::string, Ending> endings = {
    {"null-read", [] { result = weigh(no_car); }},
    {"null-write", [] { load(no_car); }},
    {"null-call", [] { result = call_pilot(); }},
    {"stack-overflow", [] { volatile int none = 0; result = count_decks(&none); }},
    {"abort", [] { give_up(); }},
    {"assert", [] { check_ticket(zero); }},
    {"exception", [] { refuse(zero); }},
    {"exception-in-noexcept", [] { unmoor(); }},
    {"exception-in-destructor", [] { cut_rope(); }},
    {"exception-in-thread", [] { run_crew(); }},
    {"exception-of-future", [] { ask_crew(); }},
    {"pure-virtual", [] { start_engine(); }},
    {"double-free", [] { unload_twice(); }},
    {"double-delete", [] { delete_twice(); }},
    {"heap-corruption", [] { overload(); }},
    {"invalid-free", [] { unload_deck(); }},
    {"freed-vtable", [] { drive_sold_car(); }},
    {"out-of-memory", [] { *take_cargo() = 1; }},
    {"length-error", [] { result = long(reserve_places()); }},
    {"division-by-zero", [] { result = share(100); }},
    {"illegal-instruction", [] { run_aground(); }},
    {"bus-error", [] { result = read_log(); }},
    {"deadlock", [] { say_hello(); pass_lock(); }},
    {"terminated", [] { std::signal(SIGTERM, on_terminate); say_hello(); wait_in_vain(); }},
    {"watchdog", [] { watch_main_thread(); }},
    {"stack-smashing", [] { name_ship("a name that is far too long for a plate of that size"); }},
    {"fortify", [] { paint_name(std::getenv("ENDING_DUMP")); }},
    {"unloaded-code", [] { result = lift_with_unloaded_crane(); }},
    {"exit-handler", [] { std::atexit(say_goodbye); std::exit(0); }},
    {"static-destructor", [] { lamp.burns = true; }},
    {"vector-at", [] { result = place_of({1, 2}, 7); }},
    {"vector-index", [] { result = cabin({1, 2}, 7); }},
    {"map-at", [] { result = price_of({{"car", 30}}); }},
    {"empty-function", [] { result = call_harbour({}); }},
    {"empty-optional", [] { result = captain({}); }},
    {"wrong-variant", [] { result = flag("red"); }},
    {"null-string", [] { port(nullptr); }},
    {"strlen-of-null", [] { result = long(length_of(nullptr)); }},
    {"memcpy-to-null", [] { copy_list(nullptr, "list", 4 + far_too_much % 2); }},
    {"lambda", [] { std::vector<Car *> cars{no_car}; sell_all(cars); }},
    {"inlined", [] { result = toll(no_car); }},
    {"running-thread", [] { run_free_thread(); }},
};

} // namespace ferry

int main(int, char **arguments) {
    ferry::endings.at(arguments[1])();
    return 0;
}
