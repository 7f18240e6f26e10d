import cv2
import numpy as np


def load(path, scratch, options):
    cv2.setNumThreads(1)
    net = cv2.dnn.readNetFromONNX(str(path))
    names = net.getUnconnectedOutLayersNames()

    def run(feed):
        for name, value in feed.items():
            net.setInput(value, name)
        return dict(zip(names, map(np.array, net.forward(names))))

    return run
