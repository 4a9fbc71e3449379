//! Model packages, the coding graph, and the way from a picture to a container and back.
