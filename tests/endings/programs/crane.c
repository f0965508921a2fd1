/* A library that ferry loads, unloads and calls all the same. */

int crane_lift(int weight) {
    return weight * 2;
}
